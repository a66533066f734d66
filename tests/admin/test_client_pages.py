"""Client applications on the staff site: registering and changing them, their secrets, and who may do it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.support.clocks import move_clock
from tests.support.factories import make_user, new_user
from tests.support.form_browser import FormBrowser
from tests.support.proofs import prove_and_continue
from tests.support.relying_party import CALLBACK, RelyingParty, make_client
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_client import StaffClient, grant_permissions, staff_client
from userapi.openid import clients, usage_queries

LIST = "/admin/clients/"

#: Every field of a client, with values that differ from the defaults.
EVERY_FIELD = {
    "name": "Wiki",
    "home_page": "https://wiki.example.com/",
    "redirect_uris": "https://wiki.example.com/callback\r\nhttps://wiki.example.com/again",
    "post_logout_redirect_uris": "https://wiki.example.com/bye",
    "backchannel_logout_uri": "https://wiki.example.com/logout",
    "origins": "https://wiki.example.com",
    "scopes": ["email", "groups"],
    "grants": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
    "resources": "https://api.example.com/",
    "authentication": "client_secret_post",
    "algorithm": "RS256",
    "id_claims": "true",
    "requires_par": "true",
    "is_first_party": "true",
}

STORED = {
    "name": "Wiki",
    "home_page": "https://wiki.example.com/",
    "redirect_uris": ["https://wiki.example.com/callback", "https://wiki.example.com/again"],
    "post_logout_redirect_uris": ["https://wiki.example.com/bye"],
    "backchannel_logout_uri": "https://wiki.example.com/logout",
    "origins": ["https://wiki.example.com"],
    "scopes": "openid email groups",
    "grants": "authorization_code urn:ietf:params:oauth:grant-type:device_code",
    "resources": ["https://api.example.com/"],
    "token_auth": "client_secret_post",
    "id_token_alg": "RS256",
    "requires_pkce": False,
    "claims_in_id_token": True,
    "requires_par": True,
    "is_first_party": True,
}

#: The least that the form of each kind can be sent with.
LEAST: dict[str, dict[str, Any]] = {
    kind: {"name": kind, "redirect_uris": CALLBACK, "grants": "authorization_code", "algorithm": "ES256"}
    for kind in ("spa", "native")
} | {
    "web": {"name": "web", "redirect_uris": CALLBACK, "grants": "authorization_code", "algorithm": "ES256",
            "authentication": "client_secret_basic", "requires_pkce": "true"},
    "machine": {"name": "machine", "authentication": "client_secret_basic", "scopes": "reports:read"},
}  # fmt: skip


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def staff_with(app: Flask, *permissions: str) -> StaffClient:
    return staff_client(app, is_staff=True, permissions=permissions)


def secret_on(page: TestResponse) -> str:
    """The secret that a page shows."""
    found = re.search(r'id="client-secret"[^>]*>([^<]+)</code>', page.text)
    assert found, page.text
    return found[1]


def path_of(client: RelyingParty) -> str:
    return f"{LIST}{client.client_id}/"


def is_secret(client: RelyingParty, secret: str) -> bool:
    """Whether a client can authenticate with a secret."""
    used = RelyingParty(client.app, client.client_id, secret)
    return used.post("/oauth/introspect/", {"token": "unknown"}).status_code == 200


def events(app: Flask) -> list[str]:
    return [row.action for row in fetch_rows(app, "SELECT action FROM audit_events WHERE target_kind = 'client'")]


def test_Q54_staff_with_the_permission_register_a_client_of_each_kind(app: Flask) -> None:
    staff = staff_with(app, "view_client", "add_client")
    assert 'href="/admin/clients/new/"' in staff.get(LIST).text

    for kind, least in LEAST.items():
        assert f'href="/admin/clients/new/{kind}/"' in staff.get(f"{LIST}new/").text
        assert staff.get(f"{LIST}new/{kind}/").status_code == 200
        done = staff.post(f"{LIST}new/{kind}/", **least)
        assert done.status_code == (200 if kind in ("web", "machine") else 303), done.text

    rows = fetch_rows(app, "SELECT id, kind, maker_id, scopes FROM openid_clients ORDER BY name")
    assert [(row.kind, row.maker_id) for row in rows] == [(kind, staff.id) for kind in sorted(LEAST)]
    assert {row.kind: row.scopes for row in rows} | {"machine": ""} == dict.fromkeys(LEAST, "openid") | {"machine": ""}
    assert events(app) == ["client.created"] * 4
    assert all(staff.get(f"{LIST}{row.id}/").status_code == 200 for row in rows)


def test_Q54_every_field_of_a_client_is_edited_on_its_page(app: Flask, superuser: StaffClient) -> None:
    client = make_client(app)
    edit = f"{path_of(client)}edit/"

    assert superuser.post(edit, **EVERY_FIELD).status_code == 303

    with app.app_context():
        row = clients.find(client.client_id)
    assert {name: getattr(row, name) for name in STORED} == STORED
    assert events(app) == ["client.created", "client.changed"]
    form, page = superuser.form(edit), superuser.get(edit).text
    assert superuser.post(edit, **form, **typed_in(page)).status_code == 303
    assert events(app) == ["client.created", "client.changed"]  # the form shows what is stored


@pytest.mark.both
def test_a_form_that_was_opened_before_another_change_is_not_saved(app: Flask, superuser: StaffClient) -> None:
    client = make_client(app)
    edit = f"{path_of(client)}edit/"
    version = superuser.form(edit)["version"]
    assert superuser.post(edit, **{**LEAST["web"], "name": "First", "version": version}).status_code == 303

    stale = superuser.post(edit, **{**LEAST["web"], "name": "Second", "version": version})

    assert (stale.status_code, "Someone else changed this client" in stale.text) == (409, True)
    assert 'value="Second"' in stale.text
    with app.app_context():
        assert clients.find(client.client_id).name == "First"
    shown = re.search(r'name="version" value="([^"]+)"', stale.text)
    assert shown
    assert superuser.post(edit, **{**LEAST["web"], "name": "Second", "version": shown[1]}).status_code == 303


def typed_in(page: str) -> MultiDict[str, str]:
    """What the text areas and selects of a form contain."""
    found = re.findall(r'<textarea id="[^"]+" name="([^"]+)"[^>]*>([^<]*)</textarea>', page)
    for name, options in re.findall(r'<select id="[^"]+" name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        found += [(name, value) for value in re.findall(r'<option value="([^"]+)" selected>', options)]
    return MultiDict(found)


@pytest.mark.parametrize(
    ("kind", "sent", "text"),
    [
        ("web", {"redirect_uris": "http://evil.example/"}, "Must be an https URL."),
        ("web", {"name": ""}, "This field is required."),
        ("web", {"authentication": "none"}, "Clients of this kind have a secret."),
        ("web", {"algorithm": "none"}, "Not ES256 or RS256."),
        ("spa", {"grants": "client_credentials"}, "Not for clients of this kind"),
        ("machine", {"scopes": "openid"}, "Scopes about users are not for machines."),
        ("machine", {"scopes": " ".join(f"{number}{'x' * 90}" for number in range(6))}, "Too long."),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_typed(
    superuser: StaffClient, kind: str, sent: dict[str, str], text: str
) -> None:
    response = superuser.post(f"{LIST}new/{kind}/", **{**LEAST[kind], "home_page": "https://<typed>/", **sent})

    assert response.status_code == 400
    assert text in response.text
    assert "https://&lt;typed&gt;/" in response.text
    assert fetch_number(superuser.app, "SELECT count(*) FROM openid_clients") == 0


def test_Q54_a_secret_is_shown_once_and_on_no_other_page(
    app: Flask, superuser: StaffClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    form = {**superuser.form(f"{LIST}new/web/"), **LEAST["web"]}
    created = superuser.post(f"{LIST}new/web/", **form)
    (row,) = fetch_rows(app, "SELECT id FROM openid_clients")
    page = f"{LIST}{row.id}/"
    rotated = superuser.post(f"{page}secret/", **{**superuser.form(f"{page}secret/"), "grace": "0"})

    for shown in (created, rotated):
        assert (shown.status_code, shown.headers["Cache-Control"]) == (200, "no-store")
        assert secret_on(shown) not in str(shown.headers)
    again = superuser.post(f"{LIST}new/web/", **form)  # a reload of the page
    assert (again.status_code, again.headers["Location"]) == (303, page)
    after_reload = superuser.get(page).text
    assert "shown only once" in after_reload
    secrets = {secret_on(created), secret_on(rotated)}
    assert len(secrets) == 2
    assert [secret for secret in secrets if secret in after_reload] == []
    pages = (LIST, page, f"{page}edit/", f"{page}secret/", f"{page}delete/", "/admin/audit/", "/admin/audit/export/")
    tables = ("openid_clients", "audit_events", "form_submissions", "login_sessions")
    for secret in secrets:
        assert [each for each in pages if secret in superuser.get(each).text] == []
        assert [each for each in tables if secret in str(fetch_rows(app, f"SELECT * FROM {each}"))] == []
        assert secret not in caplog.text
    assert fetch_number(app, "SELECT count(*) FROM openid_clients") == 1


@pytest.mark.parametrize(("grace", "is_accepted"), [("0", False), ("86400", True)])
def test_Q54_the_secret_before_is_accepted_for_the_chosen_grace(
    app: Flask, superuser: StaffClient, grace: str, is_accepted: bool
) -> None:
    client = make_client(app)
    before = str(client.secret)

    new = secret_on(superuser.post(f"{path_of(client)}secret/", grace=grace))

    assert (is_secret(client, new), is_secret(client, before)) == (True, is_accepted)
    assert ("Previous secret accepted until" in superuser.get(path_of(client)).text) is is_accepted
    assert "client.secret_rotated" in events(app)


def test_Q54_a_public_client_gets_no_secret(app: Flask, superuser: StaffClient) -> None:
    spa = make_client(app, kind="spa")

    assert superuser.post(f"{path_of(spa)}secret/", grace="0").status_code == 409
    assert superuser.get(f"{path_of(spa)}secret/").status_code == 409
    assert f'href="{path_of(spa)}secret/"' not in superuser.get(path_of(spa)).text


def test_Q54_a_client_is_disabled_and_enabled(app: Flask, superuser: StaffClient) -> None:
    client = make_client(app)

    assert superuser.post(f"{path_of(client)}disable/").status_code == 303
    assert not is_secret(client, str(client.secret))
    assert "Disabled" in superuser.get(LIST).text
    assert superuser.post(f"{path_of(client)}enable/").status_code == 303
    assert is_secret(client, str(client.secret))
    assert events(app) == ["client.created", "client.changed", "client.changed"]


@pytest.mark.both
def test_Q54_before_a_client_is_deleted_staff_read_who_is_signed_in_there(app: Flask, superuser: StaffClient) -> None:
    client, user = make_client(app, name="Wiki <1>"), sign_in_user(app)
    tokens = client.sign_in(user)
    assert ">1<" in superuser.get(LIST).text

    preview = superuser.get(f"{path_of(client)}delete/").text
    deleted = superuser.post(f"{path_of(client)}delete/")

    assert "Wiki &lt;1&gt;" in preview
    assert "1 user is signed in there." in preview
    assert "1 user has access with it." in preview
    assert deleted.headers["Location"] == LIST
    assert client.userinfo(tokens["access_token"]).status_code == 401
    assert superuser.get(path_of(client)).status_code == 404
    assert events(app) == ["client.created", "client.deleted"]


def sign_in_user(app: Flask) -> FormBrowser:
    """The browser of a new user, who is signed in."""
    email = str(new_user()["email"])
    make_user(app, email=email)
    browser = FormBrowser(app)
    assert browser.sign_in(email).status_code == 303
    return browser


@pytest.mark.parametrize(
    ("permission", "path", "allowed"),
    [
        ("add_client", "new/spa/", "add"),
        ("change_client", "{id}/edit/", "change"),
        ("change_client", "{id}/secret/", "change"),
        ("change_client", "{id}/disable/", "change"),
        ("change_client", "{id}/enable/", "change"),
        ("change_client", "{id}/notices/retry/", "change"),
        ("change_client", "{id}/notices/1/retry/", "change"),
        ("delete_client", "{id}/delete/", "delete"),
    ],
)
def test_Q54_each_act_needs_its_permission(app: Flask, permission: str, path: str, allowed: str) -> None:
    client = make_client(app)
    url = LIST + path.format(id=client.client_id)
    others = [name for name in ("view_client", "add_client", "change_client", "delete_client") if name != permission]
    without, holder = staff_with(app, *others), staff_with(app, "view_client", permission)

    denied = without.post(url, **LEAST["spa"])

    assert denied.status_code == 403
    assert f"Client applications: {allowed.title()}" in denied.text
    assert events(app) == ["client.created"]
    assert holder.post(url, **LEAST["web"]).status_code in (200, 303)


def test_Q54_only_superusers_create_and_change_first_party_clients(app: Flask, superuser: StaffClient) -> None:
    staff = staff_with(app, "view_client", "add_client", "change_client", "delete_client")
    own, other = make_client(app, name="Own", is_first_party=True), make_client(app)
    first_party = {**LEAST["web"], "is_first_party": "true"}

    responses = [staff.post(f"{LIST}new/web/", **first_party), staff.post(f"{path_of(other)}edit/", **first_party)]
    for path, fields in (("edit/", LEAST["web"]), ("secret/", {}), ("disable/", {}), ("enable/", {}), ("delete/", {})):
        responses.append(staff.post(path_of(own) + path, **fields))

    assert [response.status_code for response in responses] == [403] * 7
    assert events(app) == ["client.created"] * 2
    assert [staff.get(path_of(own) + act).status_code for act in ("edit/", "secret/", "delete/")] == [403] * 3
    assert 'name="is_first_party"' not in staff.get(f"{LIST}new/web/").text
    assert 'name="is_first_party"' in superuser.get(f"{LIST}new/web/").text
    assert f'href="{path_of(own)}edit/"' not in staff.get(path_of(own)).text
    assert superuser.post(f"{path_of(other)}edit/", **first_party).status_code == 303
    assert is_secret(own, str(own.secret))


def test_Q54_changes_need_a_recent_proof(app: Flask, superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_client(app)
    paths = [f"{LIST}new/web/", *(f"{path_of(client)}{act}/" for act in ("edit", "secret", "delete"))]
    move_clock(monkeypatch, timedelta(minutes=16))

    responses = [superuser.post(path, **LEAST["web"]) for path in paths]

    assert [response.status_code for response in responses] == [403] * 4
    assert events(app) == ["client.created"]
    created = prove_and_continue(superuser.client, responses[0])  # with all that was typed
    assert secret_on(created)
    assert events(app) == ["client.created"] * 2


@pytest.mark.parametrize("is_on", [True, False])
def test_Q54_the_menu_shows_clients_only_while_the_provider_is_on(make_app: Callable[..., Flask], is_on: bool) -> None:
    app = make_app(OPENID_PROVIDER=str(is_on).lower())
    superuser, without = staff_client(app, is_staff=True, is_superuser=True), staff_with(app, "view_user")
    holder = staff_with(app)
    grant_permissions(app, holder.id, "view_client")

    assert [LIST in each.get("/admin/").text for each in (superuser, holder, without)] == [is_on, is_on, False]
    assert superuser.get(LIST).status_code == (200 if is_on else 404)


@pytest.mark.both
def test_Q54_sign_out_notices_are_listed_and_sent_again(app: Flask, superuser: StaffClient) -> None:
    client, other = make_client(app, backchannel_logout_uri="https://wiki.example.com/logout"), make_client(app)
    user = sign_in_user(app)
    client.sign_in(user)
    user.send("/logout/")
    (notice,) = fetch_rows(app, "SELECT id FROM notices")
    execute_sql(
        app, "UPDATE notices SET due_at = NULL, failed_at = created_at, attempts = 9, last_error = 'status 400'"
    )

    failed = superuser.get(f"{path_of(client)}?state=failed").text
    assert "status 400" in failed
    assert "No sign-out notices found." in superuser.get(f"{path_of(client)}?state=sent").text
    assert "status 400" not in superuser.get(path_of(other)).text

    retry = f"notices/{notice.id}/retry/"
    assert superuser.post(path_of(other) + retry).status_code == 303
    assert superuser.post(f"{path_of(other)}notices/retry/").status_code == 303
    assert due(app) == 0
    assert superuser.post(path_of(client) + retry).status_code == 303
    assert due(app) == 1
    execute_sql(app, "UPDATE notices SET due_at = NULL, failed_at = created_at")
    assert superuser.post(f"{path_of(client)}notices/retry/").status_code == 303
    assert due(app) == 1
    assert "1 queued notice is lost." in superuser.get(f"{path_of(client)}delete/").text


@pytest.mark.both
def test_the_users_of_a_client_are_counted_up_to_a_maximum(
    app: Flask, superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, first, second = make_client(app), sign_in_user(app), sign_in_user(app)
    make_client(app, name="Unused")
    for user in (first, first, second):
        client.sign_in(user)

    def shown() -> list[str]:
        return re.findall(r'"number" data-label="Users with access">([^<]+)<', superuser.get(LIST).text)

    assert shown() == ["2", "0"]
    monkeypatch.setattr(usage_queries, "MAX_COUNTED", 2)
    assert shown() == ["2+", "0"]
    preview = superuser.get(f"{path_of(client)}delete/").text
    assert preview.count("There may be more.") == 2


def due(app: Flask) -> int:
    return fetch_number(app, "SELECT count(*) FROM notices WHERE due_at IS NOT NULL AND failed_at IS NULL")


def test_staff_who_may_not_view_users_read_no_addresses_of_users(app: Flask, superuser: StaffClient) -> None:
    client = make_client(app, backchannel_logout_uri="https://wiki.example.com/logout")
    email = str(new_user()["email"])
    make_user(app, email=email)
    user = FormBrowser(app)
    user.sign_in(email)
    client.sign_in(user)
    user.send("/logout/")

    reader = staff_with(app, "view_client")

    assert email not in reader.get(path_of(client)).text
    assert email in superuser.get(path_of(client)).text


def test_unusual_values_in_urls_cause_no_server_error(superuser: StaffClient) -> None:
    for text in ("abc", "%00", "9" * 400, "%ED%A0%80", "..%2F1", "%27"):
        for path in (f"{LIST}{text}/", f"{LIST}new/{text}/", f"{LIST}?state={text}"):
            assert superuser.get(path).status_code in (200, 400, 404), path
        for act in ("edit", "secret", "disable", "delete", "notices/retry", f"notices/{text}/retry"):
            assert superuser.post(f"{LIST}{text}/{act}/").status_code in (303, 400, 404), (text, act)
