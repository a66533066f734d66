"""The tabs of a user: each shows only this user (F19)."""

import re

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client, stored_value

pytestmark = pytest.mark.both

QUERY = "search=zoe"


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def tabs(text: str) -> dict[str, str]:
    """The links of the tabs on a page, by label."""
    part = re.search(r'<ul class="tabs">(.*?)</ul>', text, re.DOTALL)
    assert part is not None
    return {label: link for link, label in re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', part[1])}


def test_every_tab_keeps_the_user_the_tabs_and_the_list(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    email = stored_value(superuser.app, user_id, "email")
    first = superuser.get(f"/admin/users/{user_id}/?back={QUERY}").text

    assert list(tabs(first)) == ["Profile", "Access", "Second factors", "Sessions", "API keys", "Emails", "Audit log"]
    for label, link in tabs(first).items():
        page = superuser.get(link).text

        assert link.startswith(f"/admin/users/{user_id}/"), label
        assert f"<h1>{email}</h1>" in page, label
        assert tabs(page) == tabs(first), label
        assert f'href="/admin/users/?{QUERY}"' in page.replace("%3D", "="), label


def test_the_sessions_tab_shows_and_ends_only_sessions_of_this_user(superuser: StaffClient) -> None:
    victim, other = staff_client(superuser.app), staff_client(superuser.app)
    path = f"/admin/users/{victim.id}/sessions/"

    shown = superuser.get(f"{path}?back={QUERY}").text
    (end,) = re.findall(r'action="(/admin/sessions/[^"]+/end/)"', shown)
    ended = superuser.post(end, **superuser.fields(shown))

    assert other.email not in shown
    assert ended.status_code == 303
    assert ended.headers["Location"] == f"{path}?back=search%3Dzoe"
    assert "was ended" in superuser.get(ended.headers["Location"]).text
    assert victim.get("/account/").status_code == 303
    assert other.get("/account/").status_code == 200


def test_the_emails_tab_shows_only_emails_to_this_user(superuser: StaffClient) -> None:
    chosen, other = (
        make_user(superuser.app, email="zoe@example.com"),
        make_user(superuser.app, email="zoe@example.com.au"),
    )
    superuser.post("/admin/users/act/", action="send_reset", user=[chosen, other], confirmed="1")

    shown = superuser.get(f"/admin/users/{chosen}/emails/").text

    assert shown.count("/admin/emails/") == 2  # the menu, and one email
    assert "zoe@example.com.au" not in shown


@pytest.mark.parametrize(("tab", "permission"), [("sessions", "view_session"), ("emails", "view_email")])
def test_each_tab_requires_the_permission_for_its_content(app: Flask, tab: str, permission: str) -> None:
    user_id = make_user(app)
    reader = staff_client(app, is_staff=True, permissions=("view_user",))
    with_it = staff_client(app, is_staff=True, permissions=("view_user", permission))

    assert reader.get(f"/admin/users/{user_id}/{tab}/").status_code == 403
    assert f"/{tab}/" not in reader.get(f"/admin/users/{user_id}/").text
    assert with_it.get(f"/admin/users/{user_id}/{tab}/").status_code == 200


def test_an_unknown_user_has_no_tabs(superuser: StaffClient) -> None:
    assert superuser.get("/admin/users/999999999/sessions/").status_code == 404
    assert superuser.get("/admin/users/999999999/emails/").status_code == 404


def test_old_urls_of_emails_lead_to_the_new_ones(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)

    listed, shown = superuser.get("/admin/outbox/?state=due"), superuser.get("/admin/outbox/7/")

    assert (listed.status_code, listed.headers["Location"]) == (303, "/admin/emails/?state=due")
    assert (shown.status_code, shown.headers["Location"]) == (303, "/admin/emails/7/")
