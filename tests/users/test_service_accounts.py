"""Service accounts: superusers create and delete them; they have no password, no sign-in and no mailbox."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, can_sign_in
from tests.support.factories import PASSWORD, PROFILE, make_user, new_user
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.core import clock

ACCOUNTS = "/userapi/service-accounts/"
NAME = "nightly-report"
ADDRESS = "nightly-report@service.invalid"


def create(superuser: ApiUser, name: str = NAME) -> dict[str, Any]:
    response = superuser.post(ACCOUNTS, json={"name": name})
    assert response.status_code == 201, response.text
    account: dict[str, Any] = response.get_json()
    return account


def count_emails(app: Flask) -> int:
    return fetch_number(app, "SELECT count(*) FROM messages")


def test_W60_a_superuser_creates_lists_and_deletes_service_accounts(app: Flask, superuser: ApiUser) -> None:
    account = create(superuser)
    create(superuser, "backup")

    listed = superuser.get(ACCOUNTS).get_json()["results"]
    assert [each["name"] for each in listed] == ["backup", NAME]
    assert superuser.get(f"{ACCOUNTS}{account['id']}/").get_json() == account == listed[1]
    assert (account["email"], account["is_active"], account["is_staff"]) == (ADDRESS, True, False)
    assert superuser.delete(f"{ACCOUNTS}{account['id']}/").status_code == 204
    assert superuser.get(f"{ACCOUNTS}{account['id']}/").status_code == 404
    recorded = fetch_rows(
        app, "SELECT action, target_id FROM audit_events WHERE action LIKE 'service_account.%' ORDER BY id"
    )
    assert [row.action for row in recorded] == [*["service_account.created"] * 2, "service_account.deleted"]
    assert recorded[-1].target_id == str(account["id"])


def test_W60_only_superusers_with_a_recent_proof_administer_service_accounts(
    app: Flask,
    client: FlaskClient,
    user: ApiUser,
    staff: ApiUser,
    superuser: ApiUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = create(superuser)
    url = f"{ACCOUNTS}{account['id']}/"
    key = f"{url}keys/{uuid.uuid4()}/"
    changes = (("POST", ACCOUNTS), ("DELETE", url), ("POST", f"{url}keys/"), ("POST", f"{key}rotate/"))
    requests = (("GET", ACCOUNTS), ("GET", url), ("GET", f"{url}keys/"), ("DELETE", key), *changes)

    for method, path in requests:
        assert client.open(path, method=method, json={"name": "other"}).status_code == 401
        for caller in (user, staff):
            assert caller.open(path, method=method, json={"name": "other"}).status_code == 403
    assert superuser.delete(f"{ACCOUNTS}{superuser.id}/").status_code == 404
    monkeypatch.setitem(app.config, "FRESH_PROOF_LIFETIME", 60)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=2))
    refused = [superuser.open(path, method=method, json={"name": "other"}) for method, path in changes]
    assert [response.get_json()["code"] for response in refused] == ["proof_needed"] * 4


@pytest.mark.parametrize("name", ["", "Upper", "a b", "-a", "a-", "a@b", "é", "a" * 51, "a.b"])
def test_the_name_of_a_service_account_is_plain(superuser: ApiUser, name: str) -> None:
    response = superuser.post(ACCOUNTS, json={"name": name})

    assert (response.status_code, list(response.get_json()["errors"])) == (400, ["name"])


@pytest.mark.both
def test_a_name_belongs_to_one_service_account(superuser: ApiUser) -> None:
    create(superuser)

    again = superuser.post(ACCOUNTS, json={"name": NAME})

    assert (again.status_code, again.get_json()["code"]) == (400, "name_taken")


def test_W60_no_way_in_is_open_to_a_service_account(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_INTRANET_DOMAINS="invalid", SIGN_IN_BY_MAIL="code")
    assert app.test_cli_runner().invoke(args=["service-accounts", "create", NAME]).exit_code == 0
    before, client = count_emails(app), app.test_client()

    assert not can_sign_in(app, ADDRESS)
    requests = ("code/", "password/reset/", "email/resend/")
    answers = [client.post(f"/userapi/auth/{path}", json={"email": ADDRESS}) for path in requests]
    assert {answer.status_code for answer in answers} <= {200, 201, 400}, [answer.text for answer in answers]
    for email in ("someone@service.invalid", "someone@SERVICE.invalid", "someone@ｓervice.invalid", ADDRESS):
        registered = client.post("/userapi/users/", json=new_user(email=email))
        assert (registered.status_code, list(registered.get_json()["errors"])) == (400, ["email"]), email
    assert count_emails(app) == before
    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == 0


def test_W60_a_password_in_the_database_does_not_let_a_service_account_sign_in(app: Flask, user: ApiUser) -> None:
    assert can_sign_in(app, user.email)

    execute_sql(app, "UPDATE users SET kind = 'service' WHERE id = :id", id=user.id)

    assert not can_sign_in(app, user.email)


def test_W60_no_one_gives_a_service_account_what_only_people_have(
    app: Flask, superuser: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = create(superuser)
    url = f"/userapi/users/{account['id']}/"
    before = count_emails(app)

    for changes in ({"email": "ada@example.com"}, {"is_superuser": True}, {"profile": PROFILE}):
        response = superuser.patch(url, json=changes)
        assert (response.status_code, response.get_json()["code"]) == (409, "not_for_service_accounts"), changes
    assert superuser.patch(url, json={"kind": "person"}).status_code == 400
    browser = FormBrowser(app)
    assert browser.sign_in(superuser.email).status_code == 303
    passwords = {"password1": "brittle harbour lantern 42", "password2": "brittle harbour lantern 42"}
    assert browser.send(f"/admin/users/{account['id']}/password/", passwords).status_code == 409
    page = f"/admin/users/{account['id']}/"
    assert "send_reset" not in browser.get(page).text
    reset = {"action": "send_reset", "user": str(account["id"]), "confirmed": "yes"}
    browser.send("/admin/users/act/", reset, form_on=page)
    monkeypatch.setenv("USER_PASSWORD", PASSWORD)
    for command in (f"users promote {ADDRESS} --superuser", f"users set-password {ADDRESS}"):
        result = app.test_cli_runner().invoke(args=command.split())
        assert result.exit_code == 1, command
        assert "service account" in result.output
    (row,) = fetch_rows(app, f"SELECT * FROM users WHERE id = {account['id']}")
    assert (row.email, row.kind, row.password_hash, bool(row.is_superuser)) == (ADDRESS, "service", None, False)
    assert count_emails(app) == before


def test_W60_a_service_account_that_becomes_staff_gets_no_email(app: Flask, superuser: ApiUser) -> None:
    account = create(superuser)
    before = count_emails(app)

    promoted = app.test_cli_runner().invoke(args=["users", "promote", ADDRESS])

    assert promoted.exit_code == 0
    assert "password" not in promoted.output
    assert superuser.get(f"{ACCOUNTS}{account['id']}/").get_json()["is_staff"]
    assert count_emails(app) == before


def test_W60_staff_cannot_change_or_delete_a_service_account(app: Flask, superuser: ApiUser, staff: ApiUser) -> None:
    url = f"/userapi/users/{create(superuser)['id']}/"

    assert staff.get(url).status_code == 200
    assert staff.patch(url, json={"first_name": "Taken"}).status_code == 403
    assert staff.delete(url).status_code == 403


@pytest.mark.both
def test_W60_lists_counts_and_exports_leave_service_accounts_out_unless_requested(
    app: Flask, superuser: ApiUser, staff: ApiUser
) -> None:
    create(superuser)

    def emails(query: str) -> set[str]:
        page = staff.get(f"/userapi/users/?count=true&{query}").get_json()
        assert page["count"] == len(page["results"])
        return {user["email"] for user in page["results"]}

    people = {superuser.email, staff.email}
    assert emails("") == emails("kind=person") == people
    assert emails("kind=service") == emails("kind=service&search=nightly") == {ADDRESS}
    assert emails("kind=all") == {*people, ADDRESS}
    assert emails("search=nightly") == emails("search=service.invalid") == set()
    assert staff.get("/userapi/users/?kind=robot").status_code == 400
    browser = FormBrowser(app)
    assert browser.sign_in(superuser.email).status_code == 303
    for page in ("/admin/users/", "/admin/users/?staff_search=nightly", "/admin/users/?is_staff=false"):
        assert ADDRESS not in browser.get(page).text, page
    exported = app.test_cli_runner().invoke(args=["users", "export"])
    assert superuser.email in exported.output
    assert ADDRESS not in exported.output
    assert ADDRESS not in app.test_cli_runner().invoke(args=["users", "list"]).output


def test_an_import_cannot_create_or_change_a_service_account(app: Flask, superuser: ApiUser, tmp_path: Any) -> None:
    create(superuser)
    (tmp_path / "users.csv").write_text(
        f"email,first_name,password\n{ADDRESS},Ada,{PASSWORD}\nnew@service.invalid,Bo,\n"
    )

    result = app.test_cli_runner().invoke(
        args=["users", "import", str(tmp_path / "users.csv"), "--on-conflict", "update"]
    )

    assert result.exit_code == 1, result.output
    rows = fetch_rows(app, "SELECT first_name, password_hash FROM users WHERE email LIKE '%service.invalid'")
    assert [tuple(row) for row in rows] == [("", None)]


def test_commands_create_list_and_delete_service_accounts(app: Flask) -> None:
    make_user(app)

    def run(command: str) -> str:
        result = app.test_cli_runner().invoke(args=command.split())
        return f"{result.exit_code} {result.output}"

    assert run(f"service-accounts create {NAME}").startswith("0 Created the service account nightly-report with the")
    assert "already" in run(f"service-accounts create {NAME}") or "has this name" in run(
        f"service-accounts create {NAME}"
    )
    assert ADDRESS in run("service-accounts list")
    assert run("groups create Readers --permission view_user").startswith("0")
    assert run(f"groups add {ADDRESS} Readers").startswith("0")
    assert run(f"service-accounts delete {NAME}").startswith("1 ")
    assert run(f"service-accounts delete {NAME} --yes") == "0 Deleted the service account nightly-report.\n"
    assert run(f"service-accounts delete {NAME} --yes").startswith("1 ")
    assert ADDRESS not in run("service-accounts list")


def test_a_key_of_a_service_account_acts_with_the_permissions_of_its_groups(
    app: Flask, client: FlaskClient, superuser: ApiUser
) -> None:
    account = create(superuser)
    keys = f"{ACCOUNTS}{account['id']}/keys/"
    created = superuser.post(keys, json={"name": "Report", "scopes": ["users", "profile"], "expires_in": 3600})
    assert created.status_code == 201, created.text
    headers = {"Authorization": f"Bearer {created.get_json()['key']}"}

    assert client.get("/userapi/auth/user/", headers=headers).get_json()["email"] == ADDRESS
    assert client.get("/userapi/users/", headers=headers).status_code == 403
    assert superuser.patch(f"/userapi/users/{account['id']}/", json={"is_staff": True}).status_code == 200
    assert client.get("/userapi/users/", headers=headers).status_code == 200
    assert [key["id"] for key in superuser.get(keys).get_json()["results"]] == [created.get_json()["id"]]


def test_keys_of_a_service_account_are_rotated_revoked_and_deleted_with_it(
    client: FlaskClient, superuser: ApiUser, staff: ApiUser
) -> None:
    account = create(superuser)
    keys = f"{ACCOUNTS}{account['id']}/keys/"

    def works(created: Any) -> bool:
        headers = {"Authorization": f"Bearer {created.get_json()['key']}"}
        return client.get("/userapi/auth/user/", headers=headers).status_code == 200

    first = superuser.post(keys, json={"name": "Report", "scopes": ["profile"]})
    second = superuser.post(f"{keys}{first.get_json()['id']}/rotate/", json={"overlap": 0})
    assert (works(first), works(second)) == (False, True)
    assert staff.get(keys).status_code == staff.delete(f"{keys}{second.get_json()['id']}/").status_code == 403
    own_keys = f"{ACCOUNTS}{superuser.id}/keys/"
    assert superuser.post(own_keys, json={"name": "Mine", "scopes": ["profile"]}).status_code == 404
    assert superuser.delete(f"{keys}{second.get_json()['id']}/").status_code == 204
    assert not works(second)
    third = superuser.post(keys, json={"name": "Report", "scopes": ["profile"]})
    assert works(third)
    assert superuser.delete(f"{ACCOUNTS}{account['id']}/").status_code == 204
    assert not works(third)


def test_commands_create_list_and_revoke_keys(app: Flask, client: FlaskClient) -> None:
    runner = app.test_cli_runner()
    assert runner.invoke(args=["service-accounts", "create", NAME]).exit_code == 0

    created = runner.invoke(args=["api-keys", "create", ADDRESS, "--name=Report", "--scope=profile", "--days=7"])
    listed = runner.invoke(args=["api-keys", "list", ADDRESS])

    assert created.exit_code == 0, created.output
    key = created.output.split()[0]
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/userapi/auth/user/", headers=headers).status_code == 200
    assert "Report" in listed.output
    assert key not in listed.output
    (row,) = fetch_rows(app, "SELECT id FROM api_keys")
    assert runner.invoke(args=["api-keys", "create", ADDRESS, "--name=", "--scope=profile"]).exit_code == 1
    assert runner.invoke(args=["api-keys", "revoke", ADDRESS, str(row.id)]).exit_code == 0
    assert client.get("/userapi/auth/user/", headers=headers).status_code == 401
    assert runner.invoke(args=["api-keys", "revoke", ADDRESS, str(row.id)]).exit_code == 1


def test_a_command_replaces_a_key_which_stays_valid_for_the_overlap(app: Flask, superuser: ApiUser) -> None:
    create(superuser)
    runner, client = app.test_cli_runner(), app.test_client()
    first = runner.invoke(args=["api-keys", "create", ADDRESS, "--name=Report", "--scope=profile", "--days=7"])
    (old,) = fetch_rows(app, "SELECT id FROM api_keys")

    def use(output: str) -> int:
        headers = {"Authorization": f"Bearer {output.split()[0]}"}
        return client.get("/userapi/auth/user/", headers=headers).status_code

    second = runner.invoke(args=["api-keys", "rotate", ADDRESS, str(old.id)])
    assert second.exit_code == 0, second.output
    assert (use(first.output), use(second.output)) == (200, 200)
    new, replaced = fetch_rows(app, "SELECT id, name, replaced_by FROM api_keys ORDER BY replaced_by IS NOT NULL")
    assert (new.name, replaced.replaced_by) == ("Report", new.id)
    third = runner.invoke(args=["api-keys", "rotate", ADDRESS, str(new.id), "--overlap=0"])
    assert (use(second.output), use(third.output)) == (401, 200)
    again = runner.invoke(args=["api-keys", "rotate", ADDRESS, str(new.id)])
    assert (again.exit_code, "There is no API key with this id." in again.output) == (1, True)


def test_superusers_create_service_accounts_and_keys_on_the_staff_site(
    app: Flask, client: FlaskClient, superuser: ApiUser, staff: ApiUser
) -> None:
    browser = FormBrowser(app)
    assert browser.sign_in(superuser.email).status_code == 303
    pages = "/admin/service-accounts/"
    assert browser.send(pages, {"name": "Not a name"}).status_code == 400
    created = browser.send(pages, {"name": NAME})
    page = created.headers["Location"]
    assert "No API keys yet" in browser.get(page).text
    for wrong, error in (
        ({"name": "Report", "days": "30"}, "Select what the key can be used for."),
        ({"name": "Report", "scopes": "profile", "days": "30", "addresses": "fe80::1%eth0"}, "Enter IP addresses"),
        ({"name": "Report", "scopes": "profile", "days": "367"}, "A key can be valid for at most 366 days."),
    ):
        rejected = browser.send(page, wrong)
        assert rejected.status_code == 400
        assert error in rejected.text
        assert 'value="Report"' in rejected.text

    shown = browser.send(
        page, {"name": "Report", "scopes": "profile", "days": "30", "addresses": "127.0.0.0/8, ::1"}
    ).text
    (key,) = re.findall(r'<code id="api-key" class="secret-key" dir="ltr">(\S+)</code>', shown)
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/userapi/auth/user/", headers=headers).get_json()["email"] == ADDRESS
    assert key not in browser.get(page).text
    (row,) = superuser.get(f"{ACCOUNTS}{page.rstrip('/').rpartition('/')[2]}/keys/").get_json()["results"]
    assert row["addresses"] == ["127.0.0.0/8", "::1/128"]
    assert '<bdi dir="ltr">::1/128</bdi>' in browser.get(page).text
    assert 'id="api-key"' in browser.send(f"{page}keys/{row['id']}/rotate/", {}, form_on=page).text
    assert browser.get(page).text.count("Replaced</span>") == 1
    assert browser.send(f"{page}keys/{row['id']}/revoke/", {}, form_on=page).status_code == 303
    assert client.get("/userapi/auth/user/", headers=headers).status_code == 401
    other = FormBrowser(app)
    assert other.sign_in(staff.email).status_code == 303
    assert other.get(pages).status_code == other.get(page).status_code == 403


def test_the_page_of_a_service_account_as_a_user_leads_to_its_keys_and_not_to_what_only_people_have(
    app: Flask, superuser: ApiUser
) -> None:
    account, browser = create(superuser), FormBrowser(app)
    assert browser.sign_in(superuser.email).status_code == 303

    of_service, of_person = (browser.get(f"/admin/users/{id}/access/").text for id in (account["id"], superuser.id))

    assert f'href="/admin/service-accounts/{account["id"]}/"' in of_service
    for tab in ("Second factors", "Emails"):
        assert [f">{tab}</a></li>" in page for page in (of_service, of_person)] == [False, True], tab


def test_a_second_click_on_the_staff_site_creates_no_second_key(app: Flask, superuser: ApiUser) -> None:
    browser = FormBrowser(app)
    assert browser.sign_in(superuser.email).status_code == 303
    page = browser.send("/admin/service-accounts/", {"name": NAME}).headers["Location"]
    form = browser.get(page)
    hidden = {name: hidden_value(form, name) for name in ("csrf_token", "form_id")}
    fields = {"name": "Report", "scopes": "profile", "days": "30", **hidden}

    assert [browser.post(page, fields).status_code for _click in range(2)] == [200, 303]

    assert "shown only once" in browser.get(page).text
    assert fetch_number(app, "SELECT count(*) FROM api_keys") == 1
