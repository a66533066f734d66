"""Which operations API keys can call: none, unless it is marked with scopes."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from tests.support.api_client import ApiUser
from tests.support.api_keys import KeyHolder, create_key
from userapi.audit.models import AuditEvent
from userapi.core.db import db
from userapi.core.scopes import Scope
from userapi.http.openapi import Access

#: The operations that keys can call, by endpoint, with the scopes that they require.
OPEN_TO_KEYS = {
    "index.read_index": "",
    "auth.read_auth_index": "",
    "users.read_profile_fields": "",
    "auth.read_me": "profile",
    "auth.replace_me": "profile:write",
    "auth.edit_me": "profile:write",
    "users.list_users": "users",
    "users.read_user": "users",
    "users.create_user": "users:write",
    "users.replace_user": "users:write",
    "users.edit_user": "users:write",
    "users.delete_user": "users:delete",
    "events.list_events": "events",
    "invitations.list_invitations": "users",
    "invitations.read_invitation": "users",
    "invitations.create_invitation": "users:write",
    "invitations.resend_invitation": "users:write",
    "invitations.revoke_invitation": "users:write",
    "own_invitations.list_own_invitations": "profile",
}

#: Operations that check what they get themselves, and see no key in a header.
UNCHECKED = {Access.UNCHECKED, None}

PLACEHOLDER = re.compile(r"<(?:(\w+):)?\w+>")
VALUES = {"row_id": "1", "uuid": str(uuid.uuid4()), None: "google", "string": "google"}


def list_operations(app: Flask) -> list[tuple[str, str, str]]:
    """The endpoint, method and path of every operation."""
    return [
        (rule.endpoint, method, PLACEHOLDER.sub(lambda found: VALUES[found[1]], rule.rule))
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
        if getattr(app.view_functions[rule.endpoint], "access", None) not in UNCHECKED
    ]


@pytest.fixture
def holder(superuser: ApiUser) -> KeyHolder:
    """A program with a key that has every scope, of a superuser."""
    return create_key(superuser, *Scope)


def test_W56_no_operation_is_open_to_keys_unless_it_is_listed(app: Flask) -> None:
    marked = {
        endpoint: " ".join(view.scopes)
        for endpoint, view in app.view_functions.items()
        if getattr(view, "scopes", None) is not None
    }

    of_webhooks = {name: scopes for name, scopes in marked.items() if name.startswith("webhooks.")}
    assert {name: scopes for name, scopes in marked.items() if name not in of_webhooks} == OPEN_TO_KEYS
    assert set(of_webhooks.values()) <= {"webhooks"}
    assert not [endpoint for endpoint in marked if getattr(app.view_functions[endpoint], "fresh", False)]


@pytest.mark.parametrize("is_exchanged", [False, True])
def test_W56_every_other_operation_rejects_a_key_with_every_scope(
    app: Flask, holder: KeyHolder, is_exchanged: bool
) -> None:
    if is_exchanged:
        holder.key = app.test_client().post("/api-token-auth/", json={"api_key": holder.key}).get_json()["access_token"]
    tried = 0
    for endpoint, method, path in list_operations(app):
        if getattr(app.view_functions[endpoint], "scopes", None) is None:
            response = holder.open(path, method=method, json={})
            assert (response.status_code, response.get_json()["code"]) == (403, "not_for_api_keys"), (method, path)
            tried += 1
    assert tried > 40


def test_W56_an_operation_requires_its_own_scope(app: Flask, superuser: ApiUser) -> None:
    for endpoint, method, path in list_operations(app):
        wanted = getattr(app.view_functions[endpoint], "scopes", ())
        if wanted:
            holder = create_key(superuser, *(set(Scope) - set(wanted)))
            response = holder.open(path, method=method, json={})
            assert response.get_json()["code"] == "insufficient_scope", (method, path)
            challenge = f'Bearer realm="userapi", error="insufficient_scope", scope="{" ".join(wanted)}"'
            assert response.headers["WWW-Authenticate"] == challenge
            assert superuser.delete(f"/userapi/auth/keys/{holder.id}/").status_code == 204


@pytest.mark.parametrize("path", ["/account/", "/admin/", "/admin/users/", "/prove/", "/account/devices/"])
def test_W56_pages_and_the_staff_site_do_not_know_keys(holder: KeyHolder, path: str) -> None:
    response = holder.get(path)

    assert response.status_code in (302, 303)
    assert "/login/" in response.headers["Location"]


@pytest.mark.parametrize(("field", "value"), [("email", "new@example.com"), ("is_staff", True), ("is_superuser", True)])
def test_W56_a_key_changes_neither_emails_nor_permissions(
    user: ApiUser, holder: KeyHolder, field: str, value: Any
) -> None:
    response = holder.patch(user.url, json={field: value, "first_name": "Ida"})

    assert (response.status_code, response.get_json()["code"]) == (403, "not_for_api_keys")
    assert list(response.get_json()["errors"]) == [field]
    assert user.get(user.url).get_json()["first_name"] == "Wren"
    own = user.get(user.url).get_json()
    assert holder.open(user.url, method="PUT", json={**own, "first_name": "Ida"}).status_code == 200


def test_W56_a_key_deletes_and_deactivates_where_its_scopes_and_owner_may(user: ApiUser, holder: KeyHolder) -> None:
    assert holder.patch(user.url, json={"is_active": False}).status_code == 200
    assert holder.open(user.url, method="DELETE").status_code == 204


def test_W56_a_key_does_not_delete_the_account_of_its_owner(
    superuser: ApiUser, holder: KeyHolder, make_api_user: Callable[..., ApiUser]
) -> None:
    make_api_user(is_staff=True, is_superuser=True)

    response = holder.open(superuser.url, method="DELETE")

    assert (response.status_code, response.get_json()["code"]) == (403, "not_for_api_keys")


def test_every_event_of_a_request_by_key_names_the_key(app: Flask, user: ApiUser, holder: KeyHolder) -> None:

    token = app.test_client().post("/api-token-auth/", json={"api_key": holder.key}).get_json()["access_token"]
    holder.patch(user.url, json={"first_name": "Ida"})
    KeyHolder(holder.client, "", token).patch(user.url, json={"first_name": "Bea"})
    user.patch(user.url, json={"first_name": "Ada"})

    with app.app_context():
        events = db.session.execute(select(AuditEvent.action, AuditEvent.key_id).order_by(AuditEvent.id)).all()
    assert [tuple(event) for event in events[-4:]] == [
        ("api_key.exchanged", holder.id),
        ("user.changed", holder.id),
        ("user.changed", holder.id),
        ("user.changed", None),
    ]
