"""The tabs of a user: each stays with the user, and shows nothing of others (F19)."""

import re

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client, stored_value

pytestmark = pytest.mark.both

QUERY = "search=zoe"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def tabs(text: str) -> dict[str, str]:
    """Label → link of the tabs on a page."""
    part = re.search(r'<ul class="tabs">(.*?)</ul>', text, re.DOTALL)
    assert part is not None
    return {label: link for link, label in re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', part[1])}


def test_every_tab_keeps_the_user_the_tabs_and_the_list_it_was_opened_from(boss: StaffClient) -> None:
    user_id = make_user(boss.app)
    email = stored_value(boss.app, user_id, "email")
    first = boss.get(f"/admin/users/{user_id}/?back={QUERY}").text

    assert list(tabs(first)) == ["Account", "Password", "Audit log", "Sessions", "Emails", "Delete"]
    for label, link in tabs(first).items():
        page = boss.get(link).text

        assert link.startswith(f"/admin/users/{user_id}/"), label
        assert f"<h1>{email}</h1>" in page, label
        assert tabs(page) == tabs(first), label
        assert f'href="/admin/users/?{QUERY}"' in page.replace("%3D", "="), label


def test_the_sessions_tab_shows_and_ends_those_of_this_user_alone(boss: StaffClient) -> None:
    victim, other = staff_client(boss.app), staff_client(boss.app)
    path = f"/admin/users/{victim.id}/sessions/"

    shown = boss.get(f"{path}?back={QUERY}").text
    (end,) = re.findall(r'action="(/admin/sessions/[^"]+/end/)"', shown)
    ended = boss.post(end, **boss.fields(shown))

    assert other.email not in shown
    assert ended.status_code == 303
    assert ended.headers["Location"] == f"{path}?back=search%3Dzoe"
    assert "was ended" in boss.get(ended.headers["Location"]).text
    assert victim.get("/account/").status_code == 303
    assert other.get("/account/").status_code == 200


def test_the_emails_tab_shows_those_to_this_user_alone(boss: StaffClient) -> None:
    chosen, other = make_user(boss.app, email="zoe@example.com"), make_user(boss.app, email="zoe@example.com.au")
    boss.post("/admin/users/act/", action="send_reset", user=[chosen, other], confirmed="1")

    shown = boss.get(f"/admin/users/{chosen}/emails/").text

    assert shown.count("/admin/emails/") == 2  # the menu, and one email
    assert "zoe@example.com.au" not in shown


@pytest.mark.parametrize(("tab", "right"), [("sessions", "view_session"), ("emails", "view_email")])
def test_a_tab_is_for_those_who_may_see_what_is_in_it(app: Flask, tab: str, right: str) -> None:
    user_id = make_user(app)
    reader = staff_client(app, is_staff=True, permissions=("view_user",))
    with_it = staff_client(app, is_staff=True, permissions=("view_user", right))

    assert reader.get(f"/admin/users/{user_id}/{tab}/").status_code == 403
    assert f"/{tab}/" not in reader.get(f"/admin/users/{user_id}/").text
    assert with_it.get(f"/admin/users/{user_id}/{tab}/").status_code == 200


def test_an_unknown_user_has_no_tabs(boss: StaffClient) -> None:
    assert boss.get("/admin/users/999999999/sessions/").status_code == 404
    assert boss.get("/admin/users/999999999/emails/").status_code == 404


def test_old_urls_of_emails_lead_to_the_new_ones(app: Flask) -> None:
    boss = staff_client(app, is_staff=True, is_superuser=True)

    listed, shown = boss.get("/admin/outbox/?state=due"), boss.get("/admin/outbox/7/")

    assert (listed.status_code, listed.headers["Location"]) == (303, "/admin/emails/?state=due")
    assert (shown.status_code, shown.headers["Location"]) == (303, "/admin/emails/7/")
