"""What changes of second factors leave behind: emails, events, and no secret."""

from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.email_inbox import emails_to
from tests.support.second_factors import FACTORS, App, add_app, confirm_app, forget_used_steps, overview, prove
from tests.support.sql import execute_sql, fetch_number, fetch_rows

OWN = "/userapi/auth/user/"


def test_S78_each_change_is_reported_by_an_email_without_secrets(app: Flask, caller: ApiUser, phone: App) -> None:
    codes = caller.post(f"{FACTORS}recovery-codes/").get_json()["codes"]
    caller.patch(FACTORS, json={"second_step": False})
    caller.delete(f"{FACTORS}totp/{phone.id}/")

    kinds = ("factor_added", "recovery_codes_made", "second_step_off", "factor_removed")
    sent = [emails_to(app, caller.email, kind) for kind in kinds]

    assert [len(emails) for emails in sent] == [1, 1, 1, 1]
    assert "Its name is: Phone." in " ".join(sent[0][0].text.split())
    for (email,) in sent:
        assert not any(secret in email.text + email.html for secret in (phone.secret, *codes))


def test_S79_each_change_is_an_event_without_secrets(app: Flask, caller: ApiUser, phone: App) -> None:
    caller.patch(f"{FACTORS}totp/{phone.id}/", json={"name": "Old phone"})
    codes = caller.post(f"{FACTORS}recovery-codes/").get_json()["codes"]
    caller.patch(FACTORS, json={"second_step": False})
    caller.delete(f"{FACTORS}totp/{phone.id}/")

    rows = fetch_rows(app, "SELECT action, changes FROM audit_events WHERE target_kind = 'user' ORDER BY id")

    actions = [row.action for row in rows]
    for action in (
        "factor.added", "second_step.on", "recovery_codes.made", "factor.renamed", "second_step.off", "factor.removed",
    ):  # fmt: skip
        assert action in actions, action
    contents = str([row.changes for row in rows])
    assert not any(secret in contents for secret in (phone.secret, *codes))


def test_S79_an_event_is_not_written_when_its_action_fails(app: Flask, caller: ApiUser) -> None:
    added = add_app(caller)
    execute_sql(app, "ALTER TABLE recovery_codes RENAME TO no_codes")
    try:
        failed = confirm_app(caller, added)
    finally:
        execute_sql(app, "ALTER TABLE no_codes RENAME TO recovery_codes")

    assert failed.status_code >= 500
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action LIKE 'factor.%'") == 0
    assert overview(caller)["second_step"] is False


def test_S20_no_response_repeats_a_secret_or_a_code(app: Flask, caller: ApiUser) -> None:
    added = add_app(caller)
    codes = confirm_app(caller, added).get_json()["recovery_codes"]
    forget_used_steps(app)
    prove(caller, added.code())

    paths = (FACTORS, "/userapi/auth/devices/", OWN, "/userapi/auth/activity/", "/userapi/auth/data/")
    pages = ("/account/", "/account/security/", "/account/devices/", "/account/activity/")
    texts = [caller.get(path).text for path in paths]
    texts += [caller.get(path, headers={"Accept": "text/html"}).text for path in (*paths, *pages)]

    for text in texts:
        assert not any(secret in text for secret in (added.secret, *codes))
