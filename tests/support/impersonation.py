"""Members of staff who act as a user."""

import re
import uuid
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, sign_in_with_cookies, staff_client

PERMISSIONS = ("view_user", "impersonate_user")
REASON = "Ticket 4711: the order is missing"


def make_support(app: Flask, *permissions: str, email: str = "support@example.com") -> StaffClient:
    """A signed-in member of staff who may act as users."""
    return staff_client(
        app, is_staff=True, email=email, first_name="Sam", last_name="Hill", permissions=(*PERMISSIONS, *permissions)
    )


def start_page(user_id: int) -> str:
    return f"/admin/users/{user_id}/impersonate/"


def start(support: StaffClient, user_id: int, reason: str = REASON) -> TestResponse:
    """Begin to act as a user; the cookies of the client are those of the impersonation then."""
    return support.post(start_page(user_id), reason=reason)


def stop(support: StaffClient) -> TestResponse:
    """Press the button of the banner."""
    return support.post("/impersonation/stop/")


def own_id(client: StaffClient) -> int | None:
    """Who the API says the cookies are of; None if no one."""
    response = client.client.get("/userapi/auth/user/")
    return int(response.get_json()["id"]) if response.status_code == 200 else None


@dataclass(frozen=True)
class RunningImpersonation:
    """A member of staff who acts as a user, who is signed in too."""

    app: Flask
    support: StaffClient
    user: StaffClient

    @property
    def session_id(self) -> str:
        return str(uuid.UUID(str(sessions(self.app)[-1].id)))

    def act(self, method: str, path: str, **body: object) -> TestResponse:
        """A request of a script in a page of the impersonation."""
        headers = {"X-CSRF-TOKEN": self.support.csrf}
        return self.support.client.open(path, method=method, headers=headers, json=body or None)


def begin(app: Flask, *permissions: str) -> RunningImpersonation:
    """Let a new member of staff act as a new user."""
    user, support = staff_client(app, email="ada@example.com", first_name="Ada"), make_support(app, *permissions)
    response = start(support, user.id)
    assert (response.status_code, response.headers["Location"]) == (303, "/account/"), response.text
    return RunningImpersonation(app, support, user)


def sessions(app: Flask) -> list[Any]:
    """The sessions of impersonations, the oldest first."""
    return fetch_rows(app, "SELECT * FROM login_sessions WHERE impersonator_id IS NOT NULL ORDER BY created_at")


def actions(app: Flask, prefix: str = "impersonation.") -> list[Any]:
    """The events with such an action, the oldest first."""
    return [
        event
        for event in fetch_rows(app, "SELECT * FROM audit_events ORDER BY id")
        if re.match(re.escape(prefix), event.action)
    ]


def sign_in_again(app: Flask, client: StaffClient) -> StaffClient:
    """The same user in another browser."""
    return sign_in_with_cookies(app, client.id)
