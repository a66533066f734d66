"""Users of a real Django site who signed in with other services by allauth keep these ways to sign in."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from tests.support import commands
from tests.support.authenticator import make_key
from tests.support.fake_provider import ISSUER, SETTINGS, FakeProvider
from tests.support.form_browser import FormBrowser
from tests.support.old_site import PROJECT
from tests.support.provider_visits import account_of, visit
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.federation import requests_to_providers

pytestmark = pytest.mark.both

PROVIDERS = {
    "PROVIDERS": "google,microsoft,apple,github,our_gitlab,acme",
    "PROVIDER_OUR_GITLAB_PRESET": "gitlab",
    "PROVIDER_OUR_GITLAB_ISSUER": "https://gitlab.acme.example",
    "PROVIDER_ACME_ISSUER": ISSUER,
    "PROVIDER_APPLE_TEAM_ID": "TEAM42",
    "PROVIDER_APPLE_KEY_ID": "ABC123",
    "PROVIDER_APPLE_KEY": make_key(-7).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
}
for _id in ("GOOGLE", "MICROSOFT", "APPLE", "GITHUB", "OUR_GITLAB", "ACME"):
    PROVIDERS |= {f"PROVIDER_{_id}_CLIENT_ID": "our-client", f"PROVIDER_{_id}_CLIENT_SECRET": "not so secret"}

LINKED = {
    "a1@example.com": ("https://accounts.google.com", "1001", "google", "a1@gmail.com"),
    "c3@example.com": ("https://appleid.apple.com", "003.c", "apple", "c3@privaterelay.appleid.com"),
    "d4@example.com": ("https://github.com", "4004", "github", None),
    "e5@example.com": ("https://gitlab.acme.example", "5005", "our_gitlab", None),
    "f6@example.com": (ISSUER, "acme-6", "acme", "f6@acme.example"),
    "g7@example.com": (ISSUER, "acme-7", "acme", "g7@acme.example"),
}


class Dumps(NamedTuple):
    """Two dumps of the site."""

    plain: str
    natural: str


@pytest.fixture(scope="session")
def dumps() -> Dumps:
    env = commands.bare_environment() | {"PYTHONPATH": str(PROJECT), "DATABASE": ":memory:"}
    result = commands.run(sys.executable, "social_accounts.py", env=env, cwd=PROJECT)
    assert result.code == 0, result.errors
    return Dumps(*json.loads(result.output))


@pytest.fixture
def linked_app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(**PROVIDERS)


def import_text(app: Flask, path: Path, text: str, *options: str) -> Result:
    """Run `flask users import`."""
    path.write_text(text)
    return app.test_cli_runner().invoke(args=["users", "import", str(path), *options])


def identities(app: Flask) -> dict[str, tuple[str, ...]]:
    """The identities, by email of their account."""
    rows = fetch_rows(
        app,
        "SELECT users.email AS owner, issuer, subject, provider, identities.email AS email, email_trusted "
        "FROM identities JOIN users ON users.id = user_id",
    )
    assert not any(row.email_trusted for row in rows)
    return {row.owner: (row.issuer, row.subject, row.provider, row.email) for row in rows}


@pytest.mark.parametrize("kind", Dumps._fields)
def test_social_accounts_of_a_django_site_become_identities_where_their_subject_is_certain(
    linked_app: Flask, dumps: Dumps, tmp_path: Path, kind: str
) -> None:
    result = import_text(linked_app, tmp_path / "users.json", getattr(dumps, kind))

    assert (result.exit_code, identities(linked_app)) == (0, LINKED), result.output
    assert "Users with linked accounts: 6." in result.stdout
    lines = [line for line in result.stdout.splitlines() if "Linked accounts that were not imported" in line]
    assert [line.split("socialaccount.socialaccount ")[1] for line in lines] == [
        "2: allauth stores another ID of Microsoft accounts than Microsoft's ID tokens have.",
        "8: Its uid is not the subject of the ID token (uid_field).",
        "9: PROVIDERS names no provider that is known to be https://elsewhere.example.",
        "10: PROVIDERS names no provider that is known to be facebook.",
    ]
    assert "socialaccount.socialtoken 10" in result.stdout


def test_a_user_of_the_old_site_signs_in_with_the_same_account_of_another_service(
    make_app: Callable[..., Flask], dumps: Dumps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = FakeProvider(claims={"sub": "acme-6", "email": "another@acme.example"})
    monkeypatch.setattr(requests_to_providers.http_client, "get", acme.get)
    monkeypatch.setattr(requests_to_providers.http_client, "post_form", acme.post_form)
    app = make_app(**SETTINGS)
    import_text(app, tmp_path / "users.json", dumps.plain)
    browser = FormBrowser(app)

    visit(browser, acme)

    account = account_of(browser)
    assert account is not None
    assert account["email"] == "f6@example.com"


def test_I58_no_token_or_secret_of_the_old_site_is_imported(linked_app: Flask, dumps: Dumps, tmp_path: Path) -> None:
    import_text(linked_app, tmp_path / "users.json", dumps.plain)

    linked_app.test_cli_runner().invoke(
        args=["users", "export", str(tmp_path / "all.jsonl"), "--with-identities", "--with-passwords"]
    )
    text = (tmp_path / "all.jsonl").read_text()
    assert "acme-6" in text
    assert not any(secret in text for secret in ("an access token", "old client secret", "not so secret"))


def test_exported_identities_come_with_their_users_into_another_database(
    linked_app: Flask, dumps: Dumps, tmp_path: Path
) -> None:
    import_text(linked_app, tmp_path / "users.json", dumps.plain)
    times = fetch_rows(linked_app, "SELECT created_at, last_used_at FROM identities ORDER BY subject")
    export = linked_app.test_cli_runner().invoke

    assert export(args=["users", "export", str(tmp_path / "none.jsonl")]).exit_code == 0
    assert "identities" not in (tmp_path / "none.jsonl").read_text()
    csv = export(args=["users", "export", str(tmp_path / "all.csv"), "--with-identities"])
    assert (csv.exit_code, "Only JSON Lines can contain linked accounts" in csv.stderr) == (2, True)
    assert export(args=["users", "export", str(tmp_path / "all.jsonl"), "--with-identities"]).exit_code == 0

    execute_sql(linked_app, "DELETE FROM users")
    import_text(linked_app, tmp_path / "moved.jsonl", (tmp_path / "all.jsonl").read_text())
    assert identities(linked_app) == LINKED
    assert fetch_rows(linked_app, "SELECT created_at, last_used_at FROM identities ORDER BY subject") == times


def test_an_identity_stays_with_the_account_that_has_it(linked_app: Flask, tmp_path: Path) -> None:
    identity = {"issuer": ISSUER, "subject": "1", "provider": "acme", "email": "not an email"}
    invalid = [{"issuer": "acme", "subject": "", "provider": "Acme"}, "acme", {"subject": "2"}]
    users = [
        {"email": "ada@example.com", "identities": [identity]},
        {"email": "eve@example.com", "identities": [identity, *invalid]},
    ]
    text = "\n".join(map(json.dumps, users))

    dry = import_text(linked_app, tmp_path / "users.jsonl", text, "--dry-run")
    first = import_text(linked_app, tmp_path / "users.jsonl", text)
    again = import_text(linked_app, tmp_path / "users.jsonl", text, "--on-conflict", "update")

    assert "Users with linked accounts: 2." in dry.stdout
    assert identities(linked_app) == {"ada@example.com": (ISSUER, "1", "acme", None)}
    assert fetch_number(linked_app, "SELECT count(*) FROM audit_events WHERE action = 'identity.linked'") == 1
    for result in (first, again):
        lines = result.stdout.splitlines()
        assert "  line 2: A linked account was not imported: it is linked to another user." in lines
        assert sum("not imported" in line for line in lines) == 2
    assert "issuer: Must be a URL such as https://login.example.com.; subject: " in first.stdout
