"""The menu of actions on the pages of a user: it offers what the caller may do to this user, and nothing else."""

import re

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, sign_in_with_cookies, staff_client

HELPER = ("view_user", "change_user", "delete_user", "view_session", "delete_session", "view_email", "view_event")

ALL = {"Set password", "Send password reset", "End sessions", "Deactivate", "Legal hold…", "Delete…"}

TABS = ("", "access/", "sessions/", "emails/", "history/", "password/", "delete/")


@pytest.fixture
def helper(app: Flask) -> StaffClient:
    """Staff who may do everything to users who have no more permissions."""
    return staff_client(app, is_staff=True, permissions=HELPER)


def offered(caller: StaffClient, user_id: int, tab: str = "") -> set[str]:
    """The labels in the menu of actions."""
    head = re.search(r'<header class="identity">.*?</header>', caller.get(f"/admin/users/{user_id}/{tab}").text, re.S)
    assert head is not None
    return {label.strip() for label in re.findall(r"</svg>([^<]+)</(?:a|button)></li>", head[0])}


def act(caller: StaffClient, action: str, user_id: int) -> int:
    """Send an action that is in the menu; the status."""
    return caller.post("/admin/users/act/", action=action, user=user_id, of_user=user_id, confirmed="true").status_code


@pytest.mark.parametrize("tab", TABS)
def test_no_action_is_offered_on_users_with_more_permissions(helper: StaffClient, tab: str) -> None:
    superuser = make_user(helper.app, is_staff=True, is_superuser=True)
    more_permitted = staff_client(helper.app, is_staff=True, permissions=("change_group",)).id

    assert offered(helper, superuser, tab) == set()
    assert offered(helper, more_permitted, tab) == set()


@pytest.mark.parametrize("tab", TABS)
def test_all_actions_are_offered_on_other_users(helper: StaffClient, tab: str) -> None:
    superuser = staff_client(helper.app, is_staff=True, is_superuser=True)

    assert offered(helper, make_user(helper.app), tab) == ALL
    assert offered(superuser, make_user(helper.app, is_staff=True, is_superuser=True), tab) == ALL


def test_what_is_offered_depends_on_status_permissions_and_own_account(app: Flask, helper: StaffClient) -> None:
    inactive = make_user(app, is_active=False)
    only_sessions = staff_client(app, is_staff=True, permissions=("view_user", "delete_session"))
    reader = staff_client(app, is_staff=True, permissions=("view_user",))

    assert offered(helper, inactive) == {"Set password", "End sessions", "Activate", "Legal hold…", "Delete…"}
    assert offered(helper, helper.id) == {"Set password", "Send password reset", "Legal hold…", "Delete…"}
    assert offered(only_sessions, inactive) == {"End sessions"}
    assert offered(reader, inactive) == set()


def test_what_is_offered_succeeds_and_what_is_not_is_denied(app: Flask, helper: StaffClient) -> None:
    superuser = make_user(app, is_staff=True, is_superuser=True)
    user = make_user(app)

    for action in ("send_reset", "end_sessions", "deactivate", "activate"):
        assert act(helper, action, superuser) == 403, action
        assert act(helper, action, user) == 303, action


def test_the_sessions_tab_offers_to_end_sessions_only_where_that_is_allowed(app: Flask, helper: StaffClient) -> None:
    superuser, user = make_user(app, is_staff=True, is_superuser=True), make_user(app)
    for user_id in (superuser, user):
        sign_in_with_cookies(app, user_id)

    assert "End session of" not in helper.get(f"/admin/users/{superuser}/sessions/").text
    assert "End session of" in helper.get(f"/admin/users/{user}/sessions/").text
