"""Deny by default: every path is classified here, and rejects anonymous callers unless public."""

import re
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.openapi import documented_operations
from userapi.http.openapi import Access

#: Public paths outside the API, and those where clients of the OpenID provider authenticate. A new path is
#: listed here, or its blueprint checks every caller.
OPEN = {
    "static", "api-docs.openapi_json", "docs.show_reference", "docs.show_swagger_ui", "ops.read_liveness",
    "ops.read_readiness", "ops.read_metrics", "admin.static",
    "openid.read_discovery", "openid.issue_tokens", "openid.push_request", "openid.read_userinfo",
    "openid.introspect_token", "openid.revoke_token", "openid.begin_device_sign_in",
}  # fmt: skip

#: Blueprints whose pages check the browser session themselves; `tests/pages` and `tests/admin` test that.
ROOMS = ("pages", "openid_pages", "admin", "staff_")

OPEN_OPERATIONS = {
    "index.read_index", "auth.read_auth_index", "keys.read_key_set", "passkey_discovery.read_passkey_endpoints",
    "passkey_discovery.read_related_origins", "users.create_user", "users.read_profile_fields", "tokens.obtain_tokens",
    "tokens.refresh_tokens", "tokens.verify_token", "userapi_tokens.obtain_tokens", "userapi_tokens.refresh_tokens",
    "userapi_tokens.verify_token", "auth.login", "auth.logout", "auth.ask_to_reset_password", "auth.reset_password",
    "auth.verify_email", "auth.resend_verification", "own_invitations.accept_invitation",
    "auth.undo_email_change", "passkeys.request_passkey_login", "passkeys.login_with_passkey",
    "second_step.request_second_step_options", "second_step.do_second_step",
    "mailed_codes.request_code", "mailed_codes.sign_in_with_code", "providers.list_providers", "providers.redeem_code",
    "providers.register_identity", "providers.prove_account", "providers.create_nonce",
    "providers.sign_in_with_id_token", "closing.restore_account",
}  # fmt: skip


def test_Z01_every_view_is_classified(app: Flask) -> None:
    for endpoint, view in app.view_functions.items():
        access = getattr(view, "access", None)

        if access is None:
            assert endpoint in OPEN or endpoint.startswith(ROOMS), f"who may call {endpoint}?"
        else:
            is_open = access in (Access.OPEN, Access.UNCHECKED)
            assert is_open == (endpoint in OPEN_OPERATIONS), f"who may call {endpoint}?"


def filled(path: str, user_id: int) -> str:
    """A path with its parameters filled in."""
    return re.sub(r"{\w+}", str(uuid.uuid4()), re.sub("{(user|identity|delivery|invitation)_id}", str(user_id), path))


def test_Z01_every_operation_that_is_not_public_rejects_anonymous_callers(
    app: Flask, client: FlaskClient, user: ApiUser
) -> None:
    closed = [found for found in documented_operations(app) if found[2]["security"]]
    assert len(closed) >= 12
    for method, path, _operation in closed:
        for headers in ({}, {"Authorization": "Basic eDp4"}, {"Authorization": ""}):
            response = client.open(filled(path, user.id), method=method, json={}, headers=headers)

            assert response.status_code == 401, (method, path)
            assert response.headers["WWW-Authenticate"].startswith("Bearer "), (method, path)
            assert response.get_json()["status"] == 401, (method, path)


def test_Z01_the_same_operations_accept_an_authenticated_caller(app: Flask, user: ApiUser) -> None:
    for method, path, operation in documented_operations(app):
        if operation["security"] and "sessions" not in path:
            assert user.open(filled(path, user.id), method=method, json={}).status_code != 401, (method, path)


def test_every_documented_path_is_served_and_every_operation_is_documented(app: Flask) -> None:
    documented = {(method, path) for method, path, _operation in documented_operations(app)}
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if hasattr(app.view_functions[rule.endpoint], "access")
        if not rule.endpoint.startswith("userapi_tokens.")  # the same views on other paths
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert documented == served


@pytest.mark.parametrize("path", ["/userapi/", "/userapi/auth/"])
def test_the_indexes_name_existing_paths(app: Flask, client: FlaskClient, path: str) -> None:
    index = client.get(path).get_json()

    assert index
    adapter = app.url_map.bind("localhost")
    for name, url in index.items():
        assert url.startswith("http://accounts.example.com/userapi/"), name
        assert adapter.allowed_methods(url.removeprefix("http://accounts.example.com")), name


def test_A02_every_operation_on_others_names_the_permission_that_staff_need(app: Flask) -> None:
    documented = {
        f"{method} {path}": operation["description"] for method, path, operation in documented_operations(app)
    }
    named = {name: found[1] for name, text in documented.items() if (found := re.search(r"permission `(\w+)`", text))}

    for endpoint, view in app.view_functions.items():
        of_staff = getattr(view, "access", None) in (Access.STAFF, Access.OWNER_OR_STAFF)
        assert of_staff == bool(getattr(view, "permission", "")), endpoint
    assert named == {
        "GET /userapi/users/": "view_user",
        "GET /userapi/users/{user_id}/": "view_user",
        "PUT /userapi/users/{user_id}/": "change_user",
        "PATCH /userapi/users/{user_id}/": "change_user",
        "DELETE /userapi/users/{user_id}/": "delete_user",
        "GET /userapi/invitations/": "add_user",
        "POST /userapi/invitations/": "add_user",
        "GET /userapi/invitations/{invitation_id}/": "add_user",
        "DELETE /userapi/invitations/{invitation_id}/": "add_user",
        "POST /userapi/invitations/{invitation_id}/resend/": "add_user",
    }
    of_superusers = {name for name in documented if re.search("/userapi/(events|service-accounts|webhooks)/", name)}
    assert {name for name, text in documented.items() if "as a superuser" in text} == of_superusers
