"""Bulk actions on the staff site, and exports of users."""

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
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def make_many(app: Flask, number: int, **overrides: Any) -> list[int]:
    return [make_user(app, password=None, **overrides) for _index in range(number)]


def counted(app: Flask, statement: str) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.text(statement)) or 0)


def test_nothing_is_changed_before_the_confirmation(superuser: StaffClient) -> None:
    chosen = make_many(superuser.app, 2)

    confirmation = superuser.post(ACT, action="deactivate", user=chosen)

    assert confirmation.status_code == 200
    assert "Deactivate 2 users?" in confirmation.text
    assert all(stored_value(superuser.app, user_id, "is_active") for user_id in chosen)


def test_only_the_chosen_users_are_deactivated_and_signed_out(superuser: StaffClient) -> None:
    victim, spared = staff_client(superuser.app), staff_client(superuser.app)

    response = superuser.post(ACT, action="deactivate", user=victim.id, confirmed="1")

    assert response.status_code == 303
    assert "1 user deactivated." in superuser.get("/admin/users/").text
    assert victim.get("/account/").status_code == 303
    assert spared.get("/account/").status_code == 200
    assert superuser.post(ACT, action="activate", user=victim.id, confirmed="1").status_code == 303
    assert stored_value(superuser.app, victim.id, "is_active")
    assert victim.get("/account/").status_code == 303


def test_an_action_applies_to_all_matching_users_on_all_pages(superuser: StaffClient) -> None:
    matching = make_many(superuser.app, 60, last_name="Tidewater")
    other = make_many(superuser.app, 1)[0]

    confirmation = superuser.post(ACT, action="deactivate", all="true", query="search=tidewater")
    fields = {"action": "deactivate", "user": matching, "confirmed": "true"}

    assert "Deactivate 60 users?" in confirmation.text
    assert superuser.post(ACT, **fields).status_code == 303
    assert not any(stored_value(superuser.app, user_id, "is_active") for user_id in matching)
    assert stored_value(superuser.app, other, "is_active")


def test_choosing_too_many_users_one_by_one_changes_none(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 3)
    chosen = make_many(superuser.app, 4)

    response = superuser.post(ACT, action="deactivate", user=chosen, confirmed="1")

    assert response.status_code == 303
    assert "Select at most 3 users" in superuser.get("/admin/users/").text
    assert counted(superuser.app, "SELECT count(*) FROM users WHERE NOT is_active") == 0


def test_actions_end_sessions_and_send_reset_links(superuser: StaffClient) -> None:
    victim = staff_client(superuser.app)
    off = make_user(superuser.app)
    superuser.post(ACT, action="deactivate", user=off, confirmed="1")

    assert superuser.post(ACT, action="end_sessions", user=victim.id, confirmed="1").status_code == 303
    assert superuser.post(ACT, action="send_reset", user=[victim.id, off], confirmed="1").status_code == 303

    assert victim.get("/account/").status_code == 303
    with superuser.app.app_context():
        sent = db.session.scalars(sa.text("SELECT recipient FROM messages WHERE kind = 'reset_password'")).all()
    assert sent == [victim.email]


def test_an_action_changes_no_one_if_one_user_is_not_permitted(superuser: StaffClient) -> None:
    helper = staff_client(superuser.app, is_staff=True, permissions=("view_user", "change_user"))
    chosen = make_many(superuser.app, 2)
    not_permitted = make_user(superuser.app, email="chief@example.com", is_staff=True, is_superuser=True)

    rejected = helper.post(ACT, action="deactivate", user=[*chosen, not_permitted], confirmed="1")

    assert rejected.status_code == 403
    assert f'because of <a href="/admin/users/{not_permitted}/">chief@example.com</a>' in rejected.text
    assert all(stored_value(superuser.app, user_id, "is_active") for user_id in chosen)
    assert helper.post(ACT, action="deactivate", user=chosen, confirmed="1").status_code == 303


def test_staff_cannot_act_on_staff_with_more_permissions(superuser: StaffClient) -> None:
    helper = staff_client(superuser.app, is_staff=True, permissions=("view_user", "change_user"))
    more_permitted = staff_client(
        superuser.app, is_staff=True, permissions=("view_user", "change_user", "change_group")
    )
    equal = staff_client(superuser.app, is_staff=True, permissions=("view_user", "change_user"))

    assert helper.post(ACT, action="deactivate", user=more_permitted.id, confirmed="1").status_code == 403
    assert more_permitted.get("/admin/").status_code == 200
    assert helper.post(ACT, action="deactivate", user=equal.id, confirmed="1").status_code == 303


@pytest.mark.parametrize(
    ("action", "needed"),
    [("activate", "change_user"), ("deactivate", "change_user"), ("send_reset", "change_user"),
     ("end_sessions", "delete_session"), ("delete", "delete_user")],
)  # fmt: skip
def test_A01_each_action_requires_its_permission(app: Flask, action: str, needed: str) -> None:
    without = staff_client(app, is_staff=True, permissions=("view_user", "add_user", "view_session"))
    with_it = staff_client(app, is_staff=True, permissions=("view_user", needed))
    victim = make_user(app)
    fields = {"action": action, "user": victim, "confirmed": "1"}

    assert without.post(ACT, **fields).status_code == 403
    assert f'value="{action}"' not in without.get("/admin/users/").text
    assert f'value="{action}"' in with_it.get("/admin/users/").text
    assert with_it.post(ACT, **fields).status_code == 303


def test_A05_an_export_runs_no_formulas_in_a_spreadsheet(superuser: StaffClient) -> None:
    hostile = ['=HYPERLINK("http://evil")', "+1", "-1", "@SUM(A1)", " =1+1", 'plain, "quoted"', "＝1"]
    ids = [make_user(superuser.app, first_name=text) for text in hostile]

    response = superuser.post(ACT, action="export_csv", user=ids)

    assert response.mimetype == "text/csv"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="users-')
    assert response.headers["Cache-Control"] == "no-store"
    assert response.data.startswith(codecs.BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(response.data.decode("utf-8-sig"))))
    shown = {int(row["id"]): row["first_name"] for row in rows}
    assert [shown[user_id] for user_id in ids] == [text if text.startswith("plain") else f"'{text}" for text in hostile]


def test_A05_json_lines_contain_the_stored_values(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, first_name="=1+1")

    lines = superuser.post(ACT, action="export_jsonl", user=user_id).data.splitlines()

    assert [orjson.loads(line)["first_name"] for line in lines] == ["=1+1"]
    assert orjson.loads(lines[0])["profile"]["city"] == "Bath"


def test_A05_all_matching_users_are_exported_and_the_audit_log_shows_it(superuser: StaffClient) -> None:
    make_many(superuser.app, 70, last_name="Tidewater")

    response = superuser.post(ACT, action="export_csv", all="true", query="search=tidewater&ordering=email")

    assert len(list(csv.DictReader(io.StringIO(response.text)))) == 70
    audit_log = superuser.get("/admin/audit/?action=users.exported").text
    assert "<ins>csv</ins>" in audit_log
    assert "search" in audit_log
    assert "tidewater" not in audit_log


def test_A05_an_export_needs_no_more_memory_for_more_users(superuser: StaffClient) -> None:
    with superuser.app.app_context():
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
    data = {"action": "export_csv", "all": "true", "csrf_token": superuser.csrf}

    tracemalloc.start()
    response = superuser.client.post(ACT, data=data, buffered=False)
    size = sum(len(piece) for piece in response.response)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert size > 1_800_000
    assert peak < 1_500_000, peak
