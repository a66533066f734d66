"""Second factors that cannot be imported: no user loses the second step by moving."""

import json
import uuid
from typing import Any

import pytest
from flask import Flask

from tests.support.form_browser import FormBrowser
from tests.support.old_site import (
    LOGIN,
    PASSWORD,
    USERS,
    Import,
    OldSite,
    authenticator,
    enter,
    owner_of,
    totp_device,
    user,
)
from tests.support.password_reset import NEW_PASSWORD, confirm_reset, reset_link
from tests.support.second_factors import verify_email
from tests.support.sql import fetch_rows
from userapi.core.db import db
from userapi.mfa import apps
from userapi.users import queries as user_queries

pytestmark = pytest.mark.both

UNREADABLE = {
    "otp_t0": "Its time does not begin at 0 (t0).",
    "hotp": "This kind of second factor cannot be imported.",
    "allauth_encrypted": "Not base32: it is encrypted or damaged.",
    "passkey_elsewhere": "It was created for another site than accounts.example.com, or it is damaged.",
}


def test_S81_a_user_whose_factors_cannot_be_imported_is_named_and_locked_until_support_resets_them(
    app: Flask, old_site: OldSite, import_file: Import
) -> None:
    result = import_file(old_site.dump)

    for name, reason in UNREADABLE.items():
        owner = old_site.owners[name]
        line = next(line for line in result.stdout.splitlines() if f"(api.user {owner.number})" in line)
        assert "Imported with a locked second step" in line
        assert reason in line
        assert [enter(app, owner, code) for code in ("123456", "abcd2357")] == ["second_step_locked"] * 2
        alone = app.test_client().post(LOGIN, json={"email": owner.email, "password": owner.password})
        assert (alone.status_code, alone.get_json()["code"]) == (403, "second_step_locked")
        assert "Ask support to reset your second step" in alone.get_json()["detail"]
        assert enter(app, owner._replace(password="wrong"), "123456") == "invalid_credentials"
        app.test_cli_runner().invoke(args=["users", "unlock", owner.email])
        assert confirm_reset(app.test_client(), reset_link(app, owner.email)).status_code == 200
        assert enter(app, owner._replace(password=NEW_PASSWORD), "123456") == "second_step_locked"

    reset = app.test_cli_runner().invoke(
        args=["users", "reset-factors", owner.email, "--reason", "moved", "--keep-password", "--yes"]
    )
    assert reset.exit_code == 0, reset.output
    signed_in = app.test_client().post(LOGIN, json={"email": owner.email, "password": NEW_PASSWORD})
    assert signed_in.status_code == 200


def test_S81_it_comes_in_without_a_second_step_only_if_that_was_requested(
    app: Flask, old_site: OldSite, import_file: Import
) -> None:
    result = import_file(old_site.dump, "--drop-unreadable-factors")

    with_factors = {row.user_id for row in fetch_rows(app, "SELECT user_id FROM second_factors")}
    assert not with_factors & {old_site.owners[name].number for name in UNREADABLE}
    assert len(with_factors) == 12
    assert result.stdout.count("Imported without a second step.") == 4
    assert "Users with second factors: 12, of whom 0 have a locked second step." in result.stdout


def test_S81_an_import_without_factors_wants_to_be_confirmed(
    app: Flask, old_site: OldSite, import_file: Import
) -> None:
    refused = import_file(old_site.dump, "--without-factors")
    assert refused.exit_code == 1
    assert "with their password alone" in refused.stderr
    assert fetch_rows(app, "SELECT id FROM users") == []

    assert import_file(old_site.dump, "--without-factors", "--yes").exit_code == 0

    assert len(fetch_rows(app, "SELECT id FROM users")) == USERS
    assert fetch_rows(app, "SELECT user_id FROM second_factors") == []


EMPTY_CREDENTIAL = {"id": "AA", "type": "public-key", "response": {"attestationObject": "v" * 99}}
PHONE = {"user": 1, "name": "default", "confirmed": True, "number": "+441225000000", "throttling_failure_count": 0}


@pytest.mark.parametrize(
    "entry",
    [
        {"model": "two_factor.phonedevice", "pk": 1, "fields": PHONE},
        {"model": "sms.device", "pk": 1, "fields": PHONE},
        {"model": "otp_email.emaildevice", "pk": 1, "fields": PHONE},
        totp_device(1, key="00" * 9),
        totp_device(1, key="00" * 65),
        totp_device(1, key="secret"),
        totp_device(1, key=None),
        totp_device(1, key=7),
        totp_device(1, step=14),
        totp_device(1, step=121),
        totp_device(1, step="30"),
        totp_device(1, step=0),
        totp_device(1, digits=7),
        totp_device(1, digits=None, last_t="x"),
        totp_device(1, t0=None),
        totp_device(1, last_t=10**12),
        totp_device(1, last_t=10**30),
        totp_device(1, last_t=-2),
        authenticator(1, "totp", None),
        authenticator(1, "totp", {"secret": "\ud800"}),
        authenticator(1, "totp", {"secret": ["A" * 32]}),
        authenticator(1, "sms", {}),
        authenticator(1, ["totp"], {}),
        authenticator(1, "recovery_codes", {"seed": "gAAAAABn", "used_mask": 0}),
        authenticator(1, "recovery_codes", {"seed": "0" * 80, "used_mask": "0"}),
        authenticator(1, "recovery_codes", {"migrated_codes": ["gAAAAABn" * 8, 7, None, "\ud800" * 8]}),
        authenticator(1, "webauthn", {"credential": {}}),
        authenticator(1, "webauthn", {"credential": EMPTY_CREDENTIAL}),
    ],
)  # fmt: skip
def test_S81_whatever_a_factor_contains_its_user_is_imported_with_a_locked_second_step(
    app: Flask, import_file: Import, entry: dict[str, Any]
) -> None:
    result = import_file([user(1), entry, user(2), totp_device(2)])

    assert result.exit_code == 0, result.output
    assert "entry 1 (api.user 1): Imported with a locked second step: " in result.stdout
    failures = fetch_rows(app, "SELECT user_id, failures FROM second_factors ORDER BY user_id")
    assert [tuple(row) for row in failures] == [(1, 100), (2, 0)]


def test_S81_a_factor_that_can_be_used_is_enough_and_the_others_are_named(app: Flask, import_file: Import) -> None:
    result = import_file([user(1), totp_device(1), totp_device(1, t0=1), {**totp_device(9), "pk": 6}])

    assert "Second factors that were not imported: otp_totp.totpdevice 5: Its time does not begin" in result.stdout
    assert "otp_totp.totpdevice without its user 1" in result.stdout
    assert [row.failures for row in fetch_rows(app, "SELECT failures FROM second_factors")] == [0]


def test_S81_nothing_is_imported_if_all_users_must_be_imported_as_they_are(app: Flask, import_file: Import) -> None:
    result = import_file([user(1), totp_device(1, t0=1)], "--on-conflict", "fail")

    assert result.exit_code == 1
    assert "Nothing was imported: entry 1 (api.user 1): Imported with a locked second step" in result.stderr
    assert fetch_rows(app, "SELECT id FROM users") == []


def test_S81_a_passkey_that_another_account_has_is_named_and_locks_an_account_without_another_factor(
    app: Flask, old_site: OldSite, import_file: Import
) -> None:
    entry = next(entry for entry in json.loads(old_site.dump) if entry["fields"].get("type") == "webauthn")
    again = {**entry, "fields": {**entry["fields"], "user": 2}}

    result = import_file(
        [
            user(1),
            user(2),
            user(3),
            {**entry, "fields": {**entry["fields"], "user": 1}},
            again,
            {**entry, "fields": {**entry["fields"], "user": 3}},
            totp_device(3),
        ]
    )

    assert "entry 2 (api.user 2): A passkey was not imported: another account has it." in result.stdout
    failures = fetch_rows(app, "SELECT failures FROM second_factors ORDER BY user_id")
    assert [row.failures for row in failures] == [0, 100, 0]
    assert "Users with second factors: 3, of whom 1 have a locked second step." in result.stdout


def test_S81_a_locked_user_gets_the_factors_of_a_later_file(app: Flask, import_file: Import) -> None:
    import_file([user(1), totp_device(1, t0=9)])
    assert enter(app, owner_of(1), "123456") == "second_step_locked"

    import_file([user(1), totp_device(1)], "--on-conflict", "update")

    assert [row.failures for row in fetch_rows(app, "SELECT failures FROM second_factors")] == [0]
    assert enter(app, owner_of(1), "123456") == "invalid_code"


def test_S81_an_app_that_a_user_has_not_confirmed_does_not_keep_factors_out(app: Flask, import_file: Import) -> None:
    import_file([user(1)])
    verify_email(app, 1)
    with app.app_context():
        locked = user_queries.lock_user(1)
        assert locked is not None
        apps.add_app(locked, "Begun", uuid.uuid4())
        db.session.commit()

    import_file([user(1), totp_device(1)], "--on-conflict", "update")

    assert enter(app, owner_of(1), "123456") == "invalid_code"


def test_S81_the_sign_in_page_says_whom_a_locked_user_can_ask(app: Flask, import_file: Import) -> None:
    import_file([user(1), totp_device(1, t0=9)])

    visitor = FormBrowser(app)
    page = visitor.sign_in("user1@example.com", PASSWORD)

    assert page.status_code == 403
    assert "Ask support to reset your second step" in page.text
    assert visitor.cookie("access_token") is None
