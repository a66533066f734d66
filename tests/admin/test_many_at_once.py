"""What staff do to many users at once, and what they take out of the house."""

import codecs
import csv
import io
import tracemalloc
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client, stored_value
from userapi.admin import user_actions
from userapi.core.db import db

pytestmark = pytest.mark.both

ACT = "/admin/users/act/"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def make_many(app: Flask, number: int, **overrides: Any) -> list[int]:
    return [make_user(app, password=None, **overrides) for _index in range(number)]


def counted(app: Flask, question: str) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.text(question)) or 0)


def test_nothing_happens_before_it_is_confirmed(boss: StaffClient) -> None:
    chosen = make_many(boss.app, 2)

    asked = boss.post(ACT, action="deactivate", user=chosen)

    assert asked.status_code == 200
    assert "Deactivate 2 users?" in asked.text
    assert all(stored_value(boss.app, user_id, "is_active") for user_id in chosen)


def test_the_chosen_are_deactivated_and_signed_out_and_nobody_else(boss: StaffClient) -> None:
    victim, spared = staff_client(boss.app), staff_client(boss.app)

    answer = boss.post(ACT, action="deactivate", user=victim.id, confirmed="1")

    assert answer.status_code == 303
    assert "1 user deactivated." in boss.get("/admin/users/").text
    assert victim.get("/account/").status_code == 303
    assert spared.get("/account/").status_code == 200
    assert boss.post(ACT, action="activate", user=victim.id, confirmed="1").status_code == 303
    assert stored_value(boss.app, victim.id, "is_active")
    assert victim.get("/account/").status_code == 303


def test_all_that_match_are_acted_upon_on_every_page(boss: StaffClient) -> None:
    matching = make_many(boss.app, 60, last_name="Tidewater")
    other = make_many(boss.app, 1)[0]

    asked = boss.post(ACT, action="deactivate", all="true", query="search=tidewater")
    fields = {"action": "deactivate", "user": matching, "confirmed": "true"}

    assert "Deactivate 60 users?" in asked.text
    assert boss.post(ACT, **fields).status_code == 303
    assert not any(stored_value(boss.app, user_id, "is_active") for user_id in matching)
    assert stored_value(boss.app, other, "is_active")


def test_more_chosen_one_by_one_than_fit_into_a_request_are_not_acted_upon(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 3)
    chosen = make_many(boss.app, 4)

    answer = boss.post(ACT, action="deactivate", user=chosen, confirmed="1")

    assert answer.status_code == 303
    assert "Select at most 3 users" in boss.get("/admin/users/").text
    assert counted(boss.app, "SELECT count(*) FROM users WHERE NOT is_active") == 0


def test_sessions_end_and_reset_links_are_mailed(boss: StaffClient) -> None:
    victim = staff_client(boss.app)
    off = make_user(boss.app)
    boss.post(ACT, action="deactivate", user=off, confirmed="1")

    assert boss.post(ACT, action="end_sessions", user=victim.id, confirmed="1").status_code == 303
    assert boss.post(ACT, action="send_reset", user=[victim.id, off], confirmed="1").status_code == 303

    assert victim.get("/account/").status_code == 303
    with boss.app.app_context():
        sent = db.session.scalars(sa.text("SELECT recipient FROM messages WHERE kind = 'reset_password'")).all()
    assert sent == [victim.email]


def test_all_or_none_when_one_of_them_is_out_of_reach(boss: StaffClient) -> None:
    helper = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user"))
    chosen = make_many(boss.app, 2)
    out_of_reach = make_user(boss.app, is_staff=True, is_superuser=True)

    refused = helper.post(ACT, action="deactivate", user=[*chosen, out_of_reach], confirmed="1")

    assert refused.status_code == 403
    assert all(stored_value(boss.app, user_id, "is_active") for user_id in chosen)
    assert helper.post(ACT, action="deactivate", user=chosen, confirmed="1").status_code == 303


def test_nobody_acts_upon_staff_with_more_rights(boss: StaffClient) -> None:
    helper = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user"))
    richer = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user", "change_group"))
    equal = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user"))

    assert helper.post(ACT, action="deactivate", user=richer.id, confirmed="1").status_code == 403
    assert richer.get("/admin/").status_code == 200
    assert helper.post(ACT, action="deactivate", user=equal.id, confirmed="1").status_code == 303


@pytest.mark.parametrize(
    ("action", "needed"),
    [("activate", "change_user"), ("deactivate", "change_user"), ("send_reset", "change_user"),
     ("end_sessions", "delete_session"), ("delete", "delete_user")],
)  # fmt: skip
def test_A01_each_action_needs_its_own_permission(app: Flask, action: str, needed: str) -> None:
    without = staff_client(app, is_staff=True, permissions=("view_user", "add_user", "view_session"))
    with_it = staff_client(app, is_staff=True, permissions=("view_user", needed))
    victim = make_user(app)
    fields = {"action": action, "user": victim, "confirmed": "1"}

    assert without.post(ACT, **fields).status_code == 403
    assert f'value="{action}"' not in without.get("/admin/users/").text
    assert f'value="{action}"' in with_it.get("/admin/users/").text
    assert with_it.post(ACT, **fields).status_code == 303


def test_A05_an_export_is_inert_in_a_spreadsheet(boss: StaffClient) -> None:
    hostile = ['=HYPERLINK("http://evil")', "+1", "-1", "@SUM(A1)", " =1+1", 'plain, "quoted"', "＝1"]
    ids = [make_user(boss.app, first_name=text) for text in hostile]

    answer = boss.post(ACT, action="export_csv", user=ids)

    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="users-')
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.data.startswith(codecs.BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    shown = {int(row["id"]): row["first_name"] for row in rows}
    assert [shown[user_id] for user_id in ids] == [text if text.startswith("plain") else f"'{text}" for text in hostile]


def test_A05_json_lines_give_what_is_stored(boss: StaffClient) -> None:
    user_id = make_user(boss.app, first_name="=1+1")

    lines = boss.post(ACT, action="export_jsonl", user=user_id).data.splitlines()

    assert [orjson.loads(line)["first_name"] for line in lines] == ["=1+1"]
    assert orjson.loads(lines[0])["profile"]["city"] == "Bath"


def test_A05_all_that_match_are_exported_and_the_trail_tells(boss: StaffClient) -> None:
    make_many(boss.app, 70, last_name="Tidewater")

    answer = boss.post(ACT, action="export_csv", all="true", query="search=tidewater&ordering=email")

    assert len(list(csv.DictReader(io.StringIO(answer.text)))) == 70
    history = boss.get("/admin/audit/?action=users.exported").text
    assert "<ins>csv</ins>" in history
    assert "search" in history
    assert "tidewater" not in history


def test_A05_an_export_needs_no_more_memory_for_more_users(boss: StaffClient) -> None:
    with boss.app.app_context():
        rows = [
            {"email": f"u{n}@example.com", "email_key": f"u{n}@example.com", "first_name": "x" * 100}
            for n in range(12_000)
        ]
        db.session.execute(
            sa.text(
                "INSERT INTO users (email, email_key, first_name, last_name, first_name_key, last_name_key,"
                " session_version, is_active, is_staff, is_superuser, date_joined) VALUES"
                " (:email, :email_key, :first_name, '', '', '', 0, true, false, false, '2026-01-01 00:00:00')"
            ),
            rows,
        )
        db.session.commit()
    data = {"action": "export_csv", "all": "true", "csrf_token": boss.csrf}

    tracemalloc.start()
    answer = boss.client.post(ACT, data=data, buffered=False)
    size = sum(len(piece) for piece in answer.response)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert size > 1_800_000
    assert peak < 1_500_000, peak
