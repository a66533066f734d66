"""Email addresses on an intranet are accepted if a setting names their domain."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support import servers
from tests.support.factories import new_user
from userapi.mail.delivery import deliver_due


@pytest.mark.parametrize("email", ["ada@printer.local", "ada@home.arpa", "ada@mail.home.arpa", "Ada@Mailhost"])
def test_an_intranet_email_is_accepted_only_if_a_setting_names_its_domain(
    make_app: Callable[..., Flask], sink: servers.SmtpSink, email: str
) -> None:
    mail = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "MAIL_DELIVERY": "none"}
    inside = make_app(EMAIL_INTRANET_DOMAINS="local, Home.Arpa,mailhost", **mail)
    outside = make_app()

    rejected = outside.test_client().post("/userapi/users/", json=new_user(email=email))
    accepted = inside.test_client().post("/userapi/users/", json=new_user(email=email))
    with inside.app_context():
        counts = deliver_due(10)

    assert (rejected.status_code, list(rejected.get_json()["errors"])) == (400, ["email"])
    assert accepted.status_code == 201, accepted.text
    assert counts.sent == 1
    assert sink.envelopes[0][1] == [email.rpartition("@")[0] + "@" + email.rpartition("@")[2].lower()]
    assert outside.test_client().post("/userapi/users/", json=new_user(email=email)).status_code == 400


def test_other_domains_are_still_rejected(make_app: Callable[..., Flask]) -> None:
    client = make_app(EMAIL_INTRANET_DOMAINS="local").test_client()

    for email in ("ada@notlocal", "ada@home.arpa", "ada@-.local", "ada@.local"):
        assert client.post("/userapi/users/", json=new_user(email=email)).status_code == 400
