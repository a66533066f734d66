"""The activity of an account names the client applications that it is about."""

from flask import Flask

from tests.support.api_client import sign_in
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.relying_party import make_client


def test_sign_ins_consents_and_withdrawals_name_the_application(app: Flask, email: str, signed_in: FormBrowser) -> None:
    wiki = make_client(app, "Wiki & <Notes>")
    wiki.sign_in(signed_in)
    fields = {"csrf_token": hidden_value(signed_in.get("/account/apps/"))}
    assert signed_in.post(f"/account/apps/{wiki.client_id}/withdraw/", fields).status_code == 303

    token = {"Authorization": f"Bearer {sign_in(app, email)['access_token']}"}
    events = app.test_client().get("/userapi/auth/activity/", headers=token).get_json()["results"]
    page = signed_in.get("/account/activity/").text

    named = [event["action"] for event in events if event["application"] == "Wiki & <Notes>"]
    assert sorted(named) == ["app.signed_in", "consent.given", "consent.withdrawn"]
    assert {event["application"] for event in events if event["action"] == "session.started"} == {None}
    assert page.count("<bdi>Wiki &amp; &lt;Notes&gt;</bdi>") == len(named)
