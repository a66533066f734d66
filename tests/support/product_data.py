"""What the pages of the product show in tests: users, and records of every kind, most of them added over the pages."""

import hashlib
import json
import re
import sqlite3
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

import config
from tests.support import commands
from tests.support.browser import Site
from tests.support.databases import close_app
from tests.support.factories import PASSWORD, PROFILE, make_user
from tests.support.own_fields import VALUES
from tests.support.second_factors import set_up_app
from userapi.app import create_app

STAFF = "ottoline.fairweather@customers.example.com"
#: An owner without a profile.
INCOMPLETE = "incomplete@example.com"
#: An owner who has closed the account.
LEAVING = "leaving@example.com"
#: Someone who was invited.
INVITED = "someone.with.a.rather.long.address.who.was.invited@department.example.com"
#: An owner whose second step is on.
CAREFUL = "careful@example.com"
OWNER = "looks.with.a.rather.long.name.before.the.at.sign@department.example.com"
#: A file with one user, one error and one existing user.
USERS_CSV = f"email,first_name\nimported@example.com,Ada\ninvalid,Grace\n{OWNER},Wren\n"

#: The settings of a provider that no page sends a request to.
PROVIDER = {
    "PROVIDERS": "acme",
    "PROVIDER_ACME_NAME": "Acme Identity Services",
    "PROVIDER_ACME_ISSUER": "https://login.acme.example",
    "PROVIDER_ACME_CLIENT_ID": "accounts",
    "PROVIDER_ACME_CLIENT_SECRET": "not so secret",
    "PROVIDER_ACME_TRUSTS_EMAIL": "true",
}


def _register_clients(site: Site) -> dict[str, str]:
    """Register client applications; the paths of an authorization request and of a device that waits."""
    found = []
    for name, *options in (
        ("Handbook of the finance department", "--redirect-uri", "https://handbook.example.com/callback",
         "--home-page", "https://handbook.example.com/", "--no-pkce", "--backchannel-logout-uri",
         "https://handbook.example.com/a-path-that-is-rather-long/backchannel-logout"),
        ("Screen at the entrance", "--kind", "native", "--grant", "device_code"),
    ):  # fmt: skip
        run = commands.run(*commands.FLASK, "clients", "add", name, *options, "--json", env=site.environment)
        assert run.code == 0, run.errors
        found.append(json.loads(run.output)["client_id"])
    form = {"client_id": found[1], "scope": "openid email"}
    device = requests.post(f"{site.url}/oauth/device/", data=form, timeout=10).json()
    redirect = "https%3A%2F%2Fhandbook.example.com%2Fcallback"
    return {
        "client": found[0],
        "authorization": f"/oauth/authorize/?response_type=code&client_id={found[0]}&redirect_uri={redirect}"
        "&scope=openid+profile+email&state=x&prompt=consent",
        "device": f"/device/{device['user_code']}/",
    }


def fill(site: Site, database: Path) -> tuple[dict[str, str], dict[str, list[Any]]]:
    """Add records of every kind.

    Returns:
        What the braces in the paths of pages stand for, and the session of each identity.
    """
    for arguments in (
        ("seed", "12", "--with-activity", "--random-seed", "7", "--password", PASSWORD),
        ("create", "--email", STAFF, "--first-name", "Ottoline", "--last-name", "Fairweather"),
        ("promote", STAFF, "--superuser"),
        ("create", "--email", INCOMPLETE),
        ("create", "--email", LEAVING),
    ):
        run = commands.run(*commands.FLASK, "users", *arguments, env=site.environment | {"USER_PASSWORD": PASSWORD})
        assert run.code == 0, run.errors
    own_values = {name: value for name, value in VALUES.items() if name != "title"}
    registration = {"email": OWNER, "password": PASSWORD, "first_name": "Wren", "profile": PROFILE | own_values}
    assert requests.post(f"{site.url}/userapi/users/", json=registration, timeout=10).status_code == 201
    owner, returning, incomplete, staff = (_sign_in(site.url, email) for email in (OWNER, OWNER, INCOMPLETE, STAFF))
    impersonator = _sign_in(site.url, STAFF)
    _send(_sign_in(site.url, LEAVING), f"{site.url}/account/close/", password=PASSWORD)
    _send(staff, f"{site.url}/admin/groups/new/", name="Readers of accounts")
    _send(staff, f"{site.url}/admin/users/filters/", at="/admin/users/", name="Inactive", query="is_active=false")
    _send(staff, f"{site.url}/admin/imports/new/", files={"file": ("users.csv", USERS_CSV)}, dry_run="true",
          on_conflict="skip", on_bad_profile="leave-out-field")  # fmt: skip
    for name in ("Nightly report of the finance team", "Import"):
        _send(owner, f"{site.url}/account/keys/new/", name=name, days="7", addresses="192.0.2.0/24 2001:db8::/32",
              **{"scopes.profile": "true", "scopes.profile:write": "true"})  # fmt: skip
    for email in (INVITED, OWNER):
        _send(staff, f"{site.url}/admin/invitations/new/", email=email, first_name="Maud", groups="Readers of accounts",
              message="We keep the minutes of our meetings there.")  # fmt: skip
    for email in (INVITED, OWNER):
        _send(staff, f"{site.url}/account/invitations/", email=email)
    registered = _register_clients(site)
    reset = {"email": OWNER}
    requests.post(f"{site.url}/userapi/auth/password/reset/", json=reset, timeout=10)
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO bulk_jobs "
            "(action, query, total, done, left_out, attempts, state, actor_id, created_at, finished_at) "
            "SELECT 'deactivate', 'search=e', 12, 11, 1, 1, 'done', id, datetime(), datetime() "
            "FROM users WHERE email = ?", [STAFF],
        )  # fmt: skip
        connection.execute(
            "INSERT INTO openid_consents (user_id, client_id, scopes, given_at, changed_at) SELECT users.id, "
            "openid_clients.id, 'openid profile email address offline_access', datetime(), datetime() "
            "FROM users, openid_clients WHERE email = ?", [OWNER],
        )  # fmt: skip
        connection.execute(
            "INSERT INTO notices (created_at, kind, service, url, content, attempts, failed_at, last_error) SELECT "
            'datetime(), \'logout\', id, backchannel_logout_uri, \'{"client":"","sub":"1","sid":""}\', 9, '
            "datetime(), 'timeout' FROM openid_clients WHERE backchannel_logout_uri IS NOT NULL"
        )
        connection.execute(
            "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00' WHERE id = (SELECT login_sessions.id "
            "FROM login_sessions JOIN users ON users.id = user_id WHERE email = ? ORDER BY created_at DESC LIMIT 1)",
            [OWNER],
        )
        records = {
            name: str(connection.execute(query).fetchone()[0])
            for name, query in {
                "user": f"SELECT id FROM users WHERE email = '{OWNER}'",
                "closed": f"SELECT id FROM users WHERE email = '{LEAVING}'",
                "incomplete": f"SELECT id FROM users WHERE email = '{INCOMPLETE}'",
                "group": "SELECT min(id) FROM groups",
                "own_group": "SELECT max(id) FROM groups",
                "email": "SELECT max(id) FROM messages",
                "event": "SELECT max(id) FROM audit_events WHERE changes IS NOT NULL",
                "import": "SELECT max(id) FROM import_jobs",
                "bulk": "SELECT max(id) FROM bulk_jobs",
            }.items()
        }
    connection.close()
    records |= _add_webhook(staff, site.url, database) | registered
    _set_up_second_step(site)
    _add_identities(database)
    records["reset_link"] = site.link(OWNER, "Reset your password").removeprefix(site.url)
    records["invitation_link"] = site.link(
        INVITED, f"You have been invited to {urlsplit(site.url).netloc}"
    ).removeprefix(site.url)
    records["restore_link"] = site.link(LEAVING, "Your account will be deleted").removeprefix(site.url)
    records["verification_link"] = site.link(OWNER, "Confirm your email address").removeprefix(site.url)
    sessions = {"owner": owner, "returning": returning, "incomplete": incomplete, "staff": staff,
                "impersonator": impersonator}  # fmt: skip
    return records, {"visitor": []} | {
        identity: [{"name": cookie.name, "value": cookie.value, "url": site.url} for cookie in session.cookies]
        for identity, session in sessions.items()
    }


def _add_webhook(staff: requests.Session, url: str, database: Path) -> dict[str, str]:
    """A disabled webhook, and a failed delivery with an attempt."""
    _send(staff, f"{url}/admin/webhooks/new/", url="https://shop.example/hooks/a-path-that-is-rather-long/accounts/",
          description="Shop", events="user.*")  # fmt: skip
    with sqlite3.connect(database) as connection:
        connection.execute(
            "UPDATE webhook_endpoints SET disabled_at = datetime(), disabled_reason = 'failing', failing_since = "
            "datetime('now', '-5 days'), tried_at = datetime()"
        )
        connection.execute(
            "INSERT INTO webhook_deliveries (created_at, endpoint_id, message_id, event_id, action, user_id, state, "
            "attempts, ended_at, last_status) SELECT datetime(), id, id, 1, 'user.changed', 1, 'failed', 10, "
            "datetime(), 503 FROM webhook_endpoints"
        )
        connection.execute(
            "INSERT INTO webhook_attempts (delivery_id, attempted_at, status, duration_ms, excerpt) "
            "SELECT max(id), datetime(), 503, 1200, '<h1>Service unavailable</h1>' FROM webhook_deliveries"
        )
        webhook, delivery = connection.execute(
            "SELECT webhook_endpoints.id, max(webhook_deliveries.id) FROM webhook_endpoints, webhook_deliveries"
        ).fetchone()
    connection.close()
    return {"webhook": f"/admin/webhooks/{uuid.UUID(webhook)}/", "delivery": str(delivery)}


def _set_up_second_step(site: Site) -> None:
    app = create_app(config.load(site.environment))
    set_up_app(app, make_user(app, email=CAREFUL))
    close_app(app)


def _add_identities(database: Path) -> None:
    """An identity of the owner, and three visits to the provider whose tickets say what comes next."""
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO identities "
            "(user_id, issuer, subject, provider, email, email_trusted, created_at, last_used_at) "
            "SELECT id, 'https://login.acme.example', 'owner', 'acme', email, 1, date_joined, date_joined "
            "FROM users WHERE email = ?", [OWNER],
        )  # fmt: skip
        for use, email in (("registration", "new.user@example.com"), ("proof", CAREFUL), ("claim", OWNER)):
            connection.execute(
                "INSERT INTO visits (state_digest, provider, purpose, created_at, expires_at, answered_at, issuer, "
                "subject, email, email_trusted, first_name, last_name, outcome, ticket_digest) VALUES "
                "(:use, 'acme', 'sign_in', datetime(), datetime('now', '+1 day'), datetime(), "
                "'https://login.acme.example', :use, :email, 1, 'Wren', 'Okafor', :use, :digest)",
                {"use": use, "email": email, "digest": hashlib.sha256(use.encode()).hexdigest()},
            )
    connection.close()


def _sign_in(url: str, email: str) -> requests.Session:
    session = requests.Session()
    session.headers["Accept"] = "text/html"
    body = {"email": email, "password": PASSWORD, "cookies": True}
    response = session.post(f"{url}/userapi/auth/login/", json=body, headers={"Accept": "application/json"}, timeout=10)
    assert response.status_code == 200, response.text
    return session


def _send(session: requests.Session, url: str, /, at: str = "", files: Any = None, **fields: str) -> None:
    """Send a form as the page with it would."""
    page = session.get(url.split("/admin/")[0] + at if at else url, timeout=10).text
    for name in ("csrf_token", "form_id"):
        found = re.search(rf'name="{name}" value="([^"]+)"', page)
        assert found, (url, name)
        fields[name] = found[1]
    response = session.post(url, data=fields, files=files, timeout=10)
    assert response.status_code == 200, (url, response.status_code, response.text)
