"""Second factors of a real Django site, with django-otp and allauth, are used on the new one."""

import json
import time
from datetime import datetime

import pytest
from flask import Flask

from tests.support.old_site import (
    Import,
    OldSite,
    SetTime,
    authenticator,
    browser_with,
    enter,
    owner_of,
    show_code,
    totp_device,
    user,
)
from tests.support.passkeys import sign_in_by_passkey
from tests.support.sql import execute_sql, fetch_number, fetch_rows

pytestmark = pytest.mark.both


@pytest.mark.parametrize(
    ("name", "digits", "period"),
    [
        ("otp", 6, 30),
        ("otp_short", 6, 30),
        ("otp_eight_digits", 8, 30),
        ("otp_minute", 6, 60),
        ("otp_and_static", 6, 30),
        ("allauth", 6, 30),
        ("allauth_codes", 6, 30),
    ],
)
def test_S80_codes_of_an_app_of_the_old_site_work(
    app: Flask, old_site: OldSite, import_file: Import, set_time: SetTime, name: str, digits: int, period: int
) -> None:
    owner = old_site.owners[name]

    assert import_file(old_site.dump).exit_code == 0

    later = time.time() + 300
    set_time(later)
    code = show_code(owner.secret, int(later) // period, digits)
    assert [enter(app, owner, each) for each in (code, code)] == ["otp", "invalid_code"]


def test_S80_a_code_that_the_old_site_accepted_does_not_work(
    app: Flask, old_site: OldSite, import_file: Import, set_time: SetTime
) -> None:
    owner = old_site.owners["otp_used"]
    import_file(old_site.dump)

    set_time(owner.step * 30 + 15)

    assert enter(app, owner, show_code(owner.secret, owner.step)) == "invalid_code"
    assert enter(app, owner, show_code(owner.secret, owner.step + 1)) == "otp"


def test_S80_no_code_that_allauth_may_have_accepted_works(
    app: Flask, old_site: OldSite, import_file: Import, set_time: SetTime
) -> None:
    owner = old_site.owners["allauth_used"]
    used = next(
        entry["fields"]
        for entry in json.loads(old_site.dump)
        if entry["fields"].get("last_used_at") and entry["model"] == "mfa.authenticator"
    )
    step = int(datetime.fromisoformat(used["last_used_at"]).timestamp()) // 30
    import_file(old_site.dump)

    set_time((step + 1) * 30 + 15)

    shown = [show_code(owner.secret, each) for each in (step, step + 1, step + 2)]
    assert [enter(app, owner, code) for code in shown] == ["invalid_code", "invalid_code", "otp"]


def test_S80_unused_recovery_codes_of_the_old_site_work_once_however_they_are_typed(
    app: Flask, old_site: OldSite, import_file: Import
) -> None:
    owners = old_site.owners
    import_file(old_site.dump)

    def outcomes(name: str, *typed: str) -> list[str]:
        return [enter(app, owners[name], code) for code in typed]

    assert outcomes("static", "ABCD 2357", "0il2-o1l2", "abcd2357") == ["lookup", "lookup", "invalid_code"]
    assert outcomes("otp_and_static", "abcd2357", "wxyz7654") == ["invalid_code", "lookup"]
    assert outcomes("allauth_migrated", "qrst4567", "uvwx2345", "qrst4567") == ["lookup", "lookup", "invalid_code"]
    codes_of_allauth = owners["allauth_codes"].codes
    assert outcomes("allauth_codes", codes_of_allauth[0], codes_of_allauth[3]) == ["invalid_code"] * 2
    unused = [code for number, code in enumerate(codes_of_allauth) if number not in (0, 3)]
    assert outcomes("allauth_codes", *unused, unused[0]) == ["lookup"] * 8 + ["invalid_code"]


def test_S80_a_passkey_of_the_old_site_signs_in(app: Flask, old_site: OldSite, import_file: Import) -> None:
    kept = old_site.owners["passkey"].passkey
    assert kept is not None
    browser = browser_with(kept)
    import_file(old_site.dump)

    response = sign_in_by_passkey(app, browser)

    assert response.status_code == 200, response.text
    assert response.get_json()["user"]["email"] == old_site.owners["passkey"].email
    assert sign_in_by_passkey(app, browser, user_handle=b"another").get_json()["code"] == "invalid_passkey"


def test_S80_factors_that_the_old_site_did_not_ask_for_are_not_imported(
    app: Flask, old_site: OldSite, import_file: Import
) -> None:
    result = import_file(old_site.dump)

    with_factors = {row.user_id for row in fetch_rows(app, "SELECT user_id FROM second_factors")}
    assert not with_factors & {old_site.owners[name].number for name in ("none", "otp_unconfirmed")}
    assert "otp_totp.totpdevice not confirmed 1" in result.stdout
    assert "Users with second factors: 16, of whom 4 have a locked second step." in result.stdout


def test_S80_factors_belong_to_the_same_users_with_natural_keys(
    app: Flask, old_site: OldSite, import_file: Import
) -> None:
    found = []
    for dump in (old_site.dump, old_site.natural, old_site.primary):
        execute_sql(app, "DELETE FROM users")
        import_file(dump)
        rows = fetch_rows(
            app,
            "SELECT email, failures, (SELECT count(*) FROM totp_devices t WHERE t.user_id = users.id) AS apps, "
            "(SELECT count(*) FROM recovery_codes c WHERE c.user_id = users.id) AS codes, "
            "(SELECT count(*) FROM passkeys p WHERE p.user_id = users.id) AS passkeys "
            "FROM users JOIN second_factors f ON f.user_id = users.id ORDER BY email",
        )
        found.append([tuple(row) for row in rows])

    assert found[0] == found[1]
    email = old_site.owners["passkey"].email
    assert [row for row in found[0] if row not in found[2]] == [(email, 0, 0, 0, 1)]
    assert (email, 100, 0, 0, 0) in found[2]  # allauth made its user handle of the missing id


def test_a_dry_run_reports_the_same_and_writes_nothing(app: Flask, old_site: OldSite, import_file: Import) -> None:
    looked = import_file(old_site.dump, "--dry-run")

    assert fetch_rows(app, "SELECT user_id FROM second_factors") == []
    imported = import_file(old_site.dump)
    assert [line for line in looked.stdout.splitlines() if "second" in line] == [
        line for line in imported.stdout.splitlines() if "second" in line
    ]


def test_imported_factors_end_sessions_and_a_change_of_email_of_users_without_any(
    app: Flask, import_file: Import
) -> None:
    import_file([user(1), user(2), totp_device(2)])

    import_file([user(1), totp_device(1), user(2), totp_device(2, key="0022" * 10)])
    assert fetch_number(app, "SELECT count(*) FROM totp_devices WHERE user_id = 1") == 0
    execute_sql(app, "UPDATE users SET pending_email = 'thief' || id || '@example.com'")

    import_file([user(1), totp_device(1), user(2), totp_device(2, key="0022" * 10)], "--on-conflict", "update")

    versions = fetch_rows(app, "SELECT session_version FROM users ORDER BY id")
    assert versions[0].session_version == versions[1].session_version + 1
    waiting = fetch_rows(app, "SELECT pending_email FROM users ORDER BY id")
    assert [row.pending_email for row in waiting] == [None, "thief2@example.com"]
    counts = fetch_rows(app, "SELECT user_id, count(*) AS apps FROM totp_devices GROUP BY user_id ORDER BY user_id")
    assert [tuple(row) for row in counts] == [(1, 1), (2, 1)]


def test_S80_a_code_that_the_old_site_accepted_after_an_earlier_import_does_not_work(
    app: Flask, import_file: Import, set_time: SetTime
) -> None:
    owner, step = owner_of(1), int(time.time()) // 30
    import_file([user(1), totp_device(1)])

    import_file([user(1), totp_device(1, last_t=step)], "--on-conflict", "update")

    set_time(step * 30 + 15)
    shown = [show_code(owner.secret, each) for each in (step, step + 1)]
    assert [enter(app, owner, code) for code in shown] == ["invalid_code", "otp"]


def test_S79_the_import_is_an_event_of_each_account(app: Flask, old_site: OldSite, import_file: Import) -> None:
    import_file(old_site.dump)

    events = fetch_rows(app, "SELECT target_id, changes FROM audit_events WHERE action = 'factors.imported'")
    changes = {row.target_id: row.changes for row in events}
    assert len(changes) == 16
    own = changes[str(old_site.owners["allauth_codes"].number)]
    own = json.loads(own) if isinstance(own, str) else own
    assert own == {"apps": [None, 1], "passkeys": [None, 0], "recovery_codes": [None, 8]}


def test_S21_nothing_of_an_imported_factor_is_readable_in_the_database(
    app: Flask, old_site: OldSite, import_file: Import
) -> None:
    import_file(old_site.dump)

    stored = str(fetch_rows(app, "SELECT * FROM totp_devices")) + str(fetch_rows(app, "SELECT * FROM recovery_codes"))
    for owner in old_site.owners.values():
        assert not [text for text in (owner.secret, *owner.codes) if text and text in stored]


def test_factors_come_with_a_user_who_gets_another_id(app: Flask, import_file: Import, set_time: SetTime) -> None:
    import_file([user(1, email="earlier@example.com"), user(9, email="later@example.com")])
    step = int(time.time()) // 30 + 10

    import_file([user(1), totp_device(1), authenticator(1, "recovery_codes", {"migrated_codes": ["qrst4567"]})])

    assert fetch_number(app, "SELECT id FROM users WHERE email = 'user1@example.com'") != 1
    set_time(step * 30)
    owner = owner_of(1)
    assert [enter(app, owner, code) for code in (show_code(owner.secret, step), "qrst4567")] == ["otp", "lookup"]
