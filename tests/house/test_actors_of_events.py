"""Every event records its actor and its origin, whichever way the request came in."""

import os
import pwd
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import downgrade, upgrade

from tests.support import commands, http_server
from tests.support.api_client import ApiUser, sign_in
from tests.support.data_keys import make_old_data_keys
from tests.support.factories import PASSWORD, PROFILE, make_user, new_user
from tests.support.fake_provider import SETTINGS
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value
from tests.support.sql import execute_sql
from userapi.audit import audit_log
from userapi.audit.models import AuditEvent
from userapi.cli import COMMANDS
from userapi.core import clock
from userapi.core.db import db
from userapi.core.loop import BackgroundLoop, Round
from userapi.security import signing_keys

OTHER = "brittle harbour lantern 42"
ME = pwd.getpwuid(os.getuid()).pw_name

#: The revision before origins were stored.
BEFORE = "0010"

#: Events of users who are not signed in, or who follow a link in an email.
ANONYMOUS = {
    "user.created", "sign_in.failed", "user.password_reset_requested", "email.verification_requested",
    "session.token_reused",
}  # fmt: skip


def events(app: Flask) -> list[dict[str, Any]]:
    with app.app_context():
        return [dict(row) for row in db.session.execute(sa.select(AuditEvent.__table__)).mappings()]


def use_the_pages(app: Flask) -> str:
    """Register, fail to sign in, sign in, edit and sign out on the pages; returns the email."""
    browser, email = FormBrowser(app), str(new_user()["email"])
    profile = {f"profile.{name}": text for name, text in PROFILE.items()}
    assert browser.send("/register/", {"email": email, "password": PASSWORD, **profile}).status_code == 303
    again = FormBrowser(app)
    assert again.sign_in(email, "wrong").status_code == 401
    assert again.sign_in(email).status_code == 303
    assert again.send("/account/", {"first_name": "Robin", "last_name": "", **profile}).status_code == 303
    assert again.send("/logout/", form_on="/account/").status_code == 303
    return email


def use_the_api(app: Flask, email: str) -> None:
    """Use the API as the same user: tokens, an edit, a reused token, a new account."""
    client, tokens = app.test_client(), sign_in(app, email)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert client.patch("/userapi/auth/user/", json={"last_name": "Quill"}, headers=headers).status_code == 200
    assert client.post("/userapi/auth/logout/", headers=headers).status_code == 200
    app.config["REFRESH_REUSE_WINDOW"] = 0
    body = {"refresh_token": sign_in(app, email)["refresh_token"]}
    assert [client.post("/api-token-refresh/", json=body).status_code for _time in range(2)] == [200, 401]
    assert client.post("/userapi/users/", json=new_user()).status_code == 201
    assert client.post("/api-token-auth/", json={"email": email, "password": "wrong"}).status_code == 401
    assert client.post("/api-token-auth/", json={"email": "x@example.com", "password": "wrong"}).status_code == 401
    assert client.post("/userapi/auth/password/reset/", json={"email": email}).status_code == 200


def use_the_staff_site(app: Flask, boss: str, email: str) -> FormBrowser:
    """Use the staff site as a superuser, and queue an import."""
    browser = FormBrowser(app)
    assert browser.sign_in(boss).status_code == 303
    with app.app_context():
        user_id = db.session.scalar(sa.text("SELECT id FROM users WHERE email = :email"), {"email": email})
    form = "/admin/groups/new/"
    assert browser.send(form, {"name": "Readers"}).status_code == 303
    passwords = {"password1": OTHER, "password2": OTHER, "own_password": PASSWORD}
    assert browser.send(f"/admin/users/{user_id}/password/", passwords).status_code == 303
    export = {"action": "export_csv", "user": str(user_id)}
    assert browser.send("/admin/users/act/", export, form_on="/admin/users/").status_code == 200
    content = b"email,first_name\nada@example.com,Ada\n"
    fields = {
        "on_conflict": "skip",
        "on_bad_profile": "refuse-user",
        "csrf_token": hidden_value(browser.get(form)),
        "file": (BytesIO(content), "users.csv"),
    }
    assert browser.client.post("/admin/imports/new/", data=fields, headers=BROWSER_HEADERS).status_code == 303
    assert browser.send(f"/admin/users/{user_id}/delete/", {"own_password": PASSWORD}).status_code == 303
    return browser


#: The commands that record events, with their arguments.
WRITING = {
    "users create": "--email crew@example.com --password-stdin",
    "users create-superuser": "--email captain@example.com --password-stdin",
    "users set-password": "crew@example.com --password-stdin",
    "users deactivate": "crew@example.com",
    "users send-restore": "crew@example.com",
    "users withdraw-restore": "crew@example.com",
    "users activate": "crew@example.com",
    "users promote": "crew@example.com",
    "users demote": "crew@example.com",
    "users hold": "crew@example.com --reason=Dispute",
    "users release": "crew@example.com",
    "users seed": "2 --force",
    "users import": "{folder}/users.jsonl",
    "users export": "{folder}/users.csv",
    "groups create": "Writers",
    "groups change": "Writers --require-second-step",
    "groups add": "crew@example.com Writers",
    "groups remove": "crew@example.com Writers",
    "groups delete": "Writers --yes",
    "sessions end": "crew@example.com",
    "sessions end-all": "--yes",
    "users unlock": "crew@example.com",
    "users reset-factors": "crew@example.com --reason=Lost --yes",
    "identities unlink": "crew@example.com 77 --yes",
    "invitations create": "guest@example.com",
    "invitations resend": "{invitation}",
    "invitations revoke": "{invitation}",
    "service-accounts create": "nightly-report",
    "api-keys create": "nightly-report@service.invalid --name=Report --scope=users",
    "api-keys rotate": "nightly-report@service.invalid {key_id}",
    "api-keys revoke": "nightly-report@service.invalid {key_id}",
    "service-accounts delete": "nightly-report --yes",
    "users delete": "crew@example.com --yes",
    "fields fill": "company --value Heron",
    "fields drop": "color --yes",
    "keys rotate": "",
    "keys retire": "{kid} --yes",
    "data-keys retire": "{data_kid} --yes",
    "data-keys rotate": "",
    "mail retry": "{message}",
    "audit export": "{folder}/events.csv",
    "clients add": "Wiki --redirect-uri https://wiki.example.com/callback",
    "clients edit": "{client} --name Handbook",
    "clients rotate-secret": "{client}",
    "clients disable": "{client}",
    "clients enable": "{client}",
    "clients delete": "{client} --yes",
    "webhooks add": "https://hook.example.com/ --all-events",
    "webhooks rotate": "{webhook}",
    "webhooks disable": "{webhook}",
    "webhooks enable": "{webhook} --drop-held",
    "webhooks replay": "{webhook} --since 2020-01-01",
    "webhooks delete": "{webhook} --yes",
}

#: What the user has entered that `users unlock` unlocks.
WRONG_CODES = """
INSERT INTO second_factors (user_id, handle, failures)
SELECT id, :handle, 3 FROM users WHERE email = 'crew@example.com'
"""
RECOVERY_CODE = "INSERT INTO recovery_codes (user_id, digest) SELECT user_id, 'code' FROM second_factors"

#: The identities of a user without a password: one can be unlinked.
IDENTITIES = """
INSERT INTO identities (id, user_id, issuer, subject, provider, email_trusted, created_at)
SELECT :id, id, 'https://login.acme.example', :subject, 'acme', false, CURRENT_TIMESTAMP
FROM users WHERE email = 'crew@example.com'
"""

#: Commands that record none: they only show something, or do what the service does by itself too.
SILENT = {
    "users list", "users show", "users replay-deletions",
    "users factors", "groups list", "sessions list", "sessions prune", "keys list",
    "data-keys list", "audit tail", "doctor", "mail test", "mail list", "mail show", "mail preview", "mail deliver",
    "mail prune", "users index", "providers list", "providers check", "identities list", "fields show", "fields check",
    "fields sql", "fields reindex", "fields propose", "notices list", "notices deliver", "notices retry",
    "notices prune", "templates show", "service-accounts list", "api-keys list", "webhooks list", "webhooks test",
    "clients list", "clients show",
    "invitations list",
    "webhooks deliveries", "webhooks deliver",
    "api-keys warn", "audit prune", "retention check", "retention run",
}  # fmt: skip


def run_the_commands(app: Flask, folder: Path) -> None:
    """Run every command that records an event."""
    (folder / "users.jsonl").write_text('{"email": "grace@example.com"}\n')
    kid = signing_keys.KeyRing(folder / "keys").newest().kid
    data_kid = make_old_data_keys(folder / "data_keys")[-1].kid
    with app.app_context():
        message = db.session.scalar(sa.text("SELECT max(id) FROM messages"))
    for command, text in WRITING.items():
        with app.app_context():
            key_id = db.session.scalar(sa.text("SELECT id FROM api_keys"))
            webhook = db.session.scalar(sa.text("SELECT id FROM webhook_endpoints"))
            invitation = db.session.scalar(sa.text("SELECT id FROM invitations"))
            client = db.session.scalar(sa.text("SELECT id FROM openid_clients"))
        values = {"folder": folder, "kid": kid, "data_kid": data_kid, "message": message, "key_id": key_id}
        values |= {"webhook": webhook, "invitation": invitation, "client": client}
        arguments = [*command.split(), *text.format(**values).split()]
        if command == "users unlock":
            execute_sql(app, WRONG_CODES, handle=b"handle")
            execute_sql(app, RECOVERY_CODE)
        if command == "users send-restore":
            later = clock.now() + timedelta(days=1)
            execute_sql(app, "UPDATE users SET closes_at = :later WHERE email = 'crew@example.com'", later=later)
        if command == "identities unlink":
            for number in (77, 78):
                execute_sql(app, IDENTITIES, id=number, subject=str(number))
        before = len(events(app))
        result = app.test_cli_runner().invoke(args=arguments, input=f"{OTHER}\n")
        assert result.exit_code == 0, (command, result.output)
        assert len(events(app)) > before, command


@pytest.fixture
def app_after_use(make_app: Callable[..., Flask], tmp_path: Path) -> tuple[Flask, FormBrowser, int]:
    """An application after all of this, its superuser's browser, and the superuser's id."""
    signing_keys.KeyRing(tmp_path / "keys").add()
    optional = {name: value for name, value in SETTINGS.items() if name.startswith("PROVIDER")}
    optional["PROFILE_FIELDS"] = str(tmp_path / "fields.toml")
    built_in = "".join(f"[profile.{name}]\n" for name in PROFILE)
    (tmp_path / "fields.toml").write_text(f'{built_in}[profile.company]\ntype = "line"\n')
    app = make_app(**optional, JWT_KEY_DIR=str(tmp_path / "keys"), DATA_KEY_DIR=str(tmp_path / "data_keys"))
    boss = str(new_user()["email"])
    boss_id = make_user(app, email=boss, is_staff=True, is_superuser=True)
    with app.app_context():
        db.session.execute(sa.delete(AuditEvent))
        db.session.commit()
    email = use_the_pages(app)
    use_the_api(app, email)
    use_the_staff_site(app, boss, email)
    work = "from userapi import worker; worker.import_users(); worker.deliver_mail(); worker.prune()"
    broker = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "MAIL_DELIVERY": "none"}
    done = commands.run(sys.executable, "-c", work, env=commands.environment_for(app, **broker))
    assert done.code == 0, done.errors
    run_the_commands(app, tmp_path)
    browser = FormBrowser(app)
    assert browser.sign_in(boss).status_code == 303
    return app, browser, boss_id


def test_no_event_has_an_unknown_actor_or_origin(app_after_use: tuple[Flask, FormBrowser, int]) -> None:
    app, _browser, boss_id = app_after_use
    found = events(app)

    by_origin: dict[str, list[dict[str, Any]]] = {}
    for event in found:
        by_origin.setdefault(event["origin"], []).append(event)
    assert set(by_origin) == {"web", "api", "cli", "import", "system"}
    assert {event["action"] for event in by_origin["system"]} == {"fields.declared"}
    assert {event["os_user"] for event in by_origin["cli"]} == {ME}
    assert {event["os_user"] for event in found if event["origin"] != "cli"} == {None}
    assert {event["actor_id"] for event in by_origin["cli"]} == {None}
    assert {event["actor_id"] for event in by_origin["import"]} == {boss_id}
    assert {event["action"] for event in by_origin["import"]} == {"users.imported", "import.finished"}
    requested = by_origin["web"] + by_origin["api"]
    assert {event["action"] for event in requested if event["actor_id"] is None} <= ANONYMOUS
    for event in requested:
        if event["action"] == "session.started":
            assert str(event["actor_id"]) == event["target_id"]
        if event["action"] == "sign_in.failed":
            assert event["actor_id"] is None
    by_staff = {event["action"] for event in by_origin["web"] if event["actor_id"] == boss_id}
    assert by_staff >= {"group.created", "user.password_changed", "users.exported", "import.started", "user.deleted"}


def test_every_command_is_run_here_or_records_no_event(app: Flask) -> None:
    context = click.Context(app.cli)
    groups = {name: app.cli.get_command(context, name) for name in COMMANDS}
    names = {
        f"{name} {command}" if isinstance(group, click.Group) else name
        for name, group in groups.items()
        for command in (group.list_commands(context) if isinstance(group, click.Group) else [""])
    }

    assert names == {*WRITING, *SILENT}


def test_the_staff_site_shows_actor_and_origin(app_after_use: tuple[Flask, FormBrowser, int]) -> None:
    _app, browser, boss_id = app_after_use

    page = browser.get("/admin/audit/").text.partition("<tbody>")[2]
    by_cli = browser.get("/admin/audit/?origin=cli").text.partition("<tbody>")[2]  # the newest, 50 on a page
    by_import = browser.get("/admin/audit/?origin=import").text.partition("<tbody>")[2]
    history = browser.get(f"/admin/users/{boss_id}/history/").text
    overview = browser.get("/admin/").text

    for text in (page, by_cli, by_import, history, overview):
        assert "visitor" not in text
        assert "Unknown" not in text
    assert by_cli.count("<code>") == by_cli.count(f"Command line ({ME})") >= min(50, len(WRITING))
    assert "Anonymous" in browser.get("/admin/audit/?action=sign_in.failed").text
    assert "Import</small>" in by_import
    assert "Anonymous" not in history
    assert f"Command line ({ME})" in overview


def test_a_failed_sign_in_has_no_actor_even_from_a_signed_in_browser(app: Flask, user: ApiUser) -> None:
    wrong = {"email": user.email, "password": "wrong"}
    assert user.post("/userapi/auth/login/", json=wrong).status_code == 401

    (event,) = [event for event in events(app) if event["action"] == "sign_in.failed"]
    assert (event["actor_id"], event["target_id"], event["origin"]) == (None, str(user.id), "api")


def test_the_system_is_the_actor_of_scheduled_jobs(app: Flask, staff: ApiUser) -> None:
    def prune(stop: Callable[[], bool]) -> Round:
        audit_log.record("key.retired", "key", "old")
        db.session.commit()
        done.set()
        return Round.DONE

    done = threading.Event()
    thread = BackgroundLoop(app, "pruner", prune, 60, logger="userapi.test", failure="failed")
    thread.start()
    done.wait(10)
    thread.stop()

    (event,) = [event for event in events(app) if event["action"] == "key.retired"]
    assert (event["origin"], event["actor_id"], event["os_user"]) == ("system", None, None)


def test_the_first_superuser_is_created_with_a_command(tmp_path: Path) -> None:
    environment = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path)
    with http_server.run_server(tmp_path, environment):
        engine = sa.create_engine(environment["DATABASE_URL"])
        with engine.connect() as connection:
            found = connection.execute(sa.text("SELECT action, origin, os_user FROM audit_events ORDER BY id")).all()
        engine.dispose()

    assert [tuple(event) for event in found] == [("user.created", "cli", ME)]


@pytest.mark.both
def test_events_from_before_origins_were_stored_are_of_unknown_origin(bare_app: Flask) -> None:
    with bare_app.app_context():
        upgrade()
        downgrade(revision=BEFORE)
        db.session.execute(
            sa.text("INSERT INTO audit_events (occurred_at, action) VALUES ('2026-01-01 00:00:00', 'user.created')")
        )
        db.session.commit()
        db.session.remove()

        upgrade()

    (event,) = events(bare_app)
    assert (event["origin"], event["os_user"]) == ("unknown", None)
    boss = str(new_user()["email"])
    make_user(bare_app, email=boss, is_staff=True, is_superuser=True)
    browser = FormBrowser(bare_app)
    assert browser.sign_in(boss).status_code == 303
    page = browser.get("/admin/audit/?origin=unknown&until=2026-01-02").text
    assert page.count("<code>") == 1
    assert "Unknown</span>" in page
    assert "Anonymous" not in page
