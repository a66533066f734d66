"""Operations on users, each on the staff site and over the API."""

from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import sign_in as bearer
from tests.support.staff_client import StaffClient, staff_client

OF_USERS = ("view_user", "add_user", "change_user", "delete_user")


class Channels(NamedTuple):
    """The same user on the staff site and on the API."""

    app: Flask
    site: StaffClient

    def api(self, method: str, path: str, **options: Any) -> TestResponse:
        tokens = bearer(self.app, self.site.email)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return self.app.test_client().open(path, method=method, headers=headers, **options)


def edit_on_staff_site(channels: Channels, user_id: int) -> TestResponse:
    path = f"/admin/users/{user_id}/"
    return channels.site.post(path, **{**superuser_form(channels, path), "first_name": "Seen"})


def superuser_form(channels: Channels, path: str) -> dict[str, Any]:
    return staff_client(channels.app, is_staff=True, is_superuser=True).form(path)


class Operation(NamedTuple):
    """What staff do to another user: the permission it needs, the call, and the status if it succeeds."""

    needs: str
    run: Callable[[Channels, int], TestResponse]
    done: int


OPERATIONS = {
    "list over the API": Operation("view_user", lambda channels, _id: channels.api("GET", "/userapi/users/"), 200),
    "list at the site": Operation("view_user", lambda channels, _id: channels.site.get("/admin/users/"), 200),
    "read over the API": Operation("view_user", lambda channels, id: channels.api("GET", f"/userapi/users/{id}/"), 200),
    "read at the site": Operation("view_user", lambda channels, id: channels.site.get(f"/admin/users/{id}/"), 200),
    "change over the API": Operation(
        "change_user",
        lambda channels, id: channels.api("PATCH", f"/userapi/users/{id}/", json={"first_name": "Seen"}),
        200,
    ),
    "deactivate over the API": Operation(
        "change_user",
        lambda channels, id: channels.api("PATCH", f"/userapi/users/{id}/", json={"is_active": False}),
        200,
    ),
    "change the email over the API": Operation(
        "change_user",
        lambda channels, id: channels.api("PATCH", f"/userapi/users/{id}/", json={"email": "moved@example.com"}),
        200,
    ),
    "change at the site": Operation("change_user", edit_on_staff_site, 303),
    "deactivate at the site": Operation(
        "change_user",
        lambda channels, id: channels.site.post("/admin/users/act/", action="deactivate", user=id, confirmed="1"),
        303,
    ),
    "delete over the API": Operation(
        "delete_user", lambda channels, id: channels.api("DELETE", f"/userapi/users/{id}/"), 204
    ),
    "delete at the site": Operation(
        "delete_user", lambda channels, id: channels.site.post(f"/admin/users/{id}/delete/"), 303
    ),
    "add at the site": Operation("add_user", lambda channels, _id: channels.site.get("/admin/users/new/"), 200),
}
