"""Operators see how second steps of sign-ins end."""

from collections.abc import Callable

from flask import Flask

from tests.support.passkeys import add_passkey
from tests.support.prometheus import METRICS_TOKEN, scrape_metrics
from tests.support.two_steps import SECOND_STEP, make_owner


def test_second_steps_are_counted_by_kind_and_outcome(make_app: Callable[..., Flask]) -> None:
    app = make_app(METRICS_TOKEN=METRICS_TOKEN)
    owner, client = make_owner(app), app.test_client()
    token = owner.mfa_token()
    owner.second_step(token, "000 000")
    owner.second_step(token, "7k3m-x2a9-qw4t-h8zc")
    assert owner.second_step(token, owner.phone.code()).status_code == 200
    owner.sign_in(owner.recovery_codes[0])
    authenticator, token = add_passkey(app, owner.id), owner.mfa_token()
    options = client.post(f"{SECOND_STEP}options/", json={"mfa_token": token}).get_json()["publicKey"]
    for credential in ({}, authenticator.get(options)):
        client.post(SECOND_STEP, json={"mfa_token": token, "credential": credential})
    assert owner.first_step(code="111111").status_code == 401

    values = scrape_metrics(app)

    counted = {labels: value for (name, labels), value in values.items() if name == "userapi_second_steps_total"}
    assert {tuple(text for _name, text in sorted(labels)): value for labels, value in counted.items()} == {
        ("totp", "rejected"): 2,
        ("totp", "accepted"): 1,
        ("recovery_code", "rejected"): 1,
        ("recovery_code", "accepted"): 1,
        ("passkey", "rejected"): 1,
        ("passkey", "accepted"): 1,
    }
