"""Which texts are email addresses, and which of them are the same."""

import time

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, new_user

pytestmark = pytest.mark.both

USERS = "/userapi/users/"

MALFORMED = (
    "", " ", "plain", "@", "@example.com", "a@", "a@@example.com", "a@b@example.com", "a b@example.com",
    "a@exa mple.com",
    "a@example", "a@.com", "a@example..com", "a@-example.com", "a@example-.com", "a@example.com.", ".a@example.com",
    "a.@example.com",
    "a..b@example.com", "a@[127.0.0.1]", "a@127.0.0.1", "a@localhost", "a@example.test", '"a b"@example.com',
    "a(x)@example.com",
    "a@example.com,b@example.com", "a@example.com;b@example.com", "<a@example.com>", "Ada <a@example.com>",
    "mailto:a@example.com",
    "a@example.com\nBcc: b@example.com", "a\x00@example.com", "a@example.com\x00",
    "a@exam_ple.com", "a@\u200bexample.com",
    "a\u200b@example.com", "a\u202e@example.com", "a@exam\u2028ple.com", "ａ@example.com ", "ü@example.com",
    "a@ex\u00adample.com", "a@xn--a.com",
    "x" * 65 + "@example.com", "a@" + "x" * 64 + ".com", "a@" + "x." * 126 + "com", "a" * 300,
)  # fmt: skip

WELL_FORMED = (
    "a@example.com", "a+tag@example.com", "a.b.c@example.com", "A.B@Example.COM", "a@mail.sub.example.com",
    "o'neill@example.com",
    "_a-b@example.com", "1234@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", "x" * 64 + "@example.com",
    "a@xn--mnchen-3ya.de",
    "b@münchen.de", "c@例え.jp", "a@example.museum", "a@3com.com", " padded@example.com ",
)  # fmt: skip


def test_V08_rejects_invalid_email_addresses(client: FlaskClient) -> None:
    for email in MALFORMED:
        response = client.post(USERS, json=new_user(email=email))

        assert response.status_code == 400, email
        assert list(response.get_json()["errors"]) == ["email"], email


def test_V08_keeps_valid_email_addresses_as_typed_and_they_can_sign_in(app: Flask, client: FlaskClient) -> None:
    for email in WELL_FORMED:
        response = client.post(USERS, json=new_user(email=email))

        assert response.status_code == 201, email
        assert response.get_json()["email"] == email.strip()
        sign_in(app, email)


def test_V08_an_email_address_has_at_most_254_characters(client: FlaskClient) -> None:
    def of_length(total: int) -> str:
        domain = ".".join(["x" * 60] * 3 + ["y" * (total - 64 - 1 - 183 - 4), "com"])
        return "a" * 64 + "@" + domain

    fits, too_long = of_length(254), of_length(255)

    assert (len(fits), len(too_long)) == (254, 255)
    assert client.post(USERS, json=new_user(email=fits)).status_code == 201
    assert client.post(USERS, json=new_user(email=too_long)).status_code == 400


@pytest.mark.parametrize(
    "email", ["a" * 50_000, "a@" + "b." * 25_000, "@" * 50_000, "a." * 25_000 + "@example.com", "ﷺ" * 50_000]
)
def test_D14_long_texts_are_rejected_quickly(client: FlaskClient, email: str) -> None:
    began = time.thread_time()

    response = client.post(USERS, json=new_user(email=email))

    assert response.status_code == 400
    assert time.thread_time() - began < 1


SAME = {
    "ada@example.com": ("ADA@EXAMPLE.COM", "Ada@Example.com", " ada@example.com", "ada@example.com  "),
    "bob@münchen.de": ("bob@MÜNCHEN.de", "bob@xn--mnchen-3ya.de", "bob@mu\u0308nchen.de", "BOB@XN--MNCHEN-3YA.DE",
                       "bob@ｍünchen.de"),
    "eve@strasse.de": ("EVE@STRASSE.DE",),
}  # fmt: skip


@pytest.mark.parametrize("email", SAME)
def test_G01_rejects_another_spelling_of_an_email_in_use(app: Flask, client: FlaskClient, email: str) -> None:
    assert client.post(USERS, json=new_user(email=email)).status_code == 201
    for spelling in SAME[email]:
        response = client.post(USERS, json=new_user(email=spelling))

        assert response.status_code == 400, spelling
        assert response.get_json()["code"] == "email_taken", spelling
        sign_in(app, spelling)


LOOKALIKES = (
    "\u212aim@example.com", "k\u0131m@example.com", "kim\u017f@example.com", "ｋｉｍ@example.com",
    "ki\u0307m@example.com",
    "kim\u200b@example.com",
    "кim@example.com", "ﬁm@example.com", "kim@ex\u0430mple.com", "kim@examp1e.com", "kim@example.co", "k1m@example.com",
)  # fmt: skip


def test_G02_a_lookalike_email_is_rejected_or_another_account(app: Flask, client: FlaskClient) -> None:
    kim = client.post(USERS, json=new_user(email="kim@example.com", password="first velvet tram 7")).get_json()
    for lookalike in LOOKALIKES:
        made = client.post(USERS, json=new_user(email=lookalike, password="second quiet lamp 9"))
        login = client.post("/api-token-auth/", json={"email": lookalike, "password": "first velvet tram 7"})

        assert made.status_code in (201, 400), lookalike
        assert made.status_code == 400 or made.get_json()["id"] != kim["id"]
        assert login.status_code in (400, 401), lookalike
    sign_in(app, "kim@example.com", "first velvet tram 7")


def test_G04_a_rejected_registration_reveals_only_that_the_email_is_in_use(client: FlaskClient, user: ApiUser) -> None:
    response = client.post(USERS, json=new_user(email=user.email))

    assert response.get_json() == {
        "type": "about:blank",
        "title": "Email already in use",
        "status": 400,
        "detail": "This email address is already in use. If it is yours, sign in or reset your password.",
        "code": "email_taken",
        "errors": {"email": ["This email address is already in use."]},
    }


def test_a_user_can_change_the_case_of_their_own_email(user: ApiUser, staff: ApiUser) -> None:
    shouted = user.email.upper()

    response = user.patch(user.url, json={"email": shouted, "current_password": PASSWORD})

    assert response.status_code == 200
    assert response.get_json()["email"] == shouted
    assert response.get_json()["pending_email"] is None
