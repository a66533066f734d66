"""Nothing that a client or a user proves something with is written where others read it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.factories import make_user, new_user
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.relying_party import RelyingParty, make_client
from tests.support.sql import fetch_rows
from userapi.audit import audit_log
from userapi.audit.audit_log import WITHHELD
from userapi.core.db import db
from userapi.openid import clients
from userapi.openid.client_checks import Grant

#: Where a secret could be stored as it is: all but the code that users type, which is looked up.
TABLES = (
    "openid_clients", "openid_authorizations", "openid_token_families", "openid_client_sessions", "openid_consents",
    "notices", "audit_events",
)  # fmt: skip

METRICS_TOKEN = "a-token-for-metrics-with-32-chars"

DEVICE = Grant.DEVICE.value


def sign_in_refresh_and_fail(user: FormBrowser, client: RelyingParty) -> tuple[dict[str, str], list[Any]]:
    """All secrets of a complete run, by name, and the responses to requests that failed."""
    pushed = client.push().get_json()["request_uri"]
    verifier = client.verifier
    consent = user.get(f"/oauth/authorize/?client_id={client.client_id}&request_uri={pushed}").headers["Location"]
    page = user.post(consent, {"allow": "1", "csrf_token": hidden_value(user.get(consent))}).text
    code = page.partition("code=")[2].partition("&amp;")[0]
    wrong = RelyingParty(client.app, client.client_id, "a-wrong-secret-of-the-client")
    failed = [wrong.exchange(code), client.exchange(code, redirect_uri="https://evil.example")]
    code_of_other = client.authorize(user)["code"]
    first = client.exchange(code_of_other).get_json()
    second = client.refresh(first["refresh_token"]).get_json()
    failed += [client.exchange(code_of_other, code_verifier=verifier), client.refresh(first["refresh_token"])]
    failed += [client.post("/oauth/token/", {"grant_type": second["id_token"], second["access_token"]: "1"})]
    failed += [client.userinfo(second["access_token"]), user.get(client.request(redirect_uri=f"https://{code}"))]
    client.introspect(second["access_token"])
    client.post("/oauth/revoke/", {"token": second["refresh_token"]})
    started = client.post("/oauth/device/", {"scope": "openid"}).get_json()
    user.send("/device/", {"user_code": started["user_code"]})
    path = f"/device/{started['user_code']}/"
    user.post(path, {"allow": "1", "csrf_token": hidden_value(user.get(path))})
    form = {"grant_type": DEVICE, "device_code": started["device_code"]}
    of_device = client.post("/oauth/token/", form).get_json()
    failed += [client.post("/oauth/token/", form), user.get(path)]
    user.get(f"/oauth/logout/?id_token_hint={second['id_token']}")
    failed += [user.get(f"/oauth/logout/?id_token_hint={first['access_token']}")]
    user.post("/logout/", {"csrf_token": hidden_value(user.get("/logout/"))})
    secrets = {
        "client secret": str(client.secret), "wrong secret": str(wrong.secret), "verifier": verifier, "code": code,
        "code of another": code_of_other, "verifier of another": client.verifier, "device code": started["device_code"],
        "handle": consent.split("/")[3], "pushed": pushed.rpartition(":")[2], "user code": started["user_code"],
        **{f"{name} {index}": tokens[name] for index, tokens in enumerate((first, second, of_device))
           for name in ("access_token", "refresh_token", "id_token")},
    }  # fmt: skip
    return secrets, failed


def test_Q58_no_secret_is_in_a_log_an_event_a_metric_a_table_or_an_error(
    make_app: Callable[..., Flask], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(LOG_LEVEL="DEBUG", METRICS_TOKEN=METRICS_TOKEN)
    caplog.set_level("DEBUG")
    email = str(new_user()["email"])
    make_user(app, email=email)
    user = FormBrowser(app)
    user.sign_in(email)
    client = make_client(
        app,
        grants=[*Grant],
        backchannel_logout_uri="https://handbook.example.com/logout",
        post_logout_redirect_uris=["https://handbook.example.com/"],
    )

    secrets, failed = sign_in_refresh_and_fail(user, client)
    with app.app_context():
        rotated = clients.rotate_secret(client.client_id)
        db.session.commit()

    assert all(len(secret) > 8 for secret in secrets.values())
    assert [response.status_code >= 400 for response in failed] == [True] * len(failed)
    metrics = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert "userapi_" in metrics.text
    written = {
        "log": "".join(capfd.readouterr()) + caplog.text,
        "metrics": metrics.text,
        "errors": "".join(each.text for each in failed if each.mimetype != "text/html"),  # pages link to their own URL
        **{table: str(fetch_rows(app, f"SELECT * FROM {table}")) for table in TABLES},
    }
    assert "consent.given" in written["log"]
    assert "/oauth/token/" in written["log"]
    assert "consent.given" in written["audit_events"]
    assert client.client_id in written["notices"]
    found = [
        (name, place) for place, text in written.items() for name, secret in secrets.items() if secret in text
    ]  # fmt: skip
    assert found == []
    assert [place for place, text in written.items() if rotated in text or "eyJ" in text] == []  # how a JWT begins


@pytest.mark.parametrize(
    "name", ["client_secret", "code_verifier", "device_code", "user_code", "id_token", "id_token_hint", "logout_token"]
)
def test_Q58_the_audit_log_withholds_the_values_of_fields_with_these_names(name: str, app: Flask) -> None:
    with app.app_context():
        audit_log.record("client.changed", "client", "1", {name: ("before", "after")})
        db.session.commit()

    (row,) = fetch_rows(app, "SELECT changes FROM audit_events")
    assert json.loads(row[0]) == {name: [WITHHELD, WITHHELD]}
