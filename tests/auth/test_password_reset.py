"""A forgotten password: the letter, its link, and what the link can and cannot do."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Person, sign_in
from factories import PASSWORD, make_user, new_user
from flask import Flask
from flask.testing import FlaskClient
from inbox import letters, letters_to
from timing import take_as_long
from werkzeug.test import TestResponse

from userapi.core import clock
from userapi.core.db import Model, db

NEW = "brittle harbour lantern 42"
OTHER = "quiet orchard gravel 19"
ASK = "/userapi/auth/password/reset/"
CONFIRM = "/userapi/auth/password/reset/confirm/"

Link = dict[str, str]


def ask(client: FlaskClient, email: Any) -> TestResponse:
    return client.post(ASK, json={"email": email})


def reset_link(app: Flask, email: str) -> Link:
    """Ask for a letter; both halves of the link in it."""
    assert ask(app.test_client(), email).status_code == 200
    letter = letters_to(app, email, "reset_password")[-1]
    return {"uid": letter.uid, "token": letter.token}


def confirm(client: FlaskClient, link: Link, password: str = NEW, **fields: Any) -> TestResponse:
    return client.post(CONFIRM, json={**link, "new_password1": password, "new_password2": password, **fields})


def signs_in(app: Flask, email: str, password: str) -> bool:
    response = app.test_client().post("/api-token-auth/", json={"email": email, "password": password})
    return response.status_code == 200


def comparable(response: TestResponse) -> tuple[int, bytes, dict[str, str]]:
    """An answer without what differs between any two."""
    headers = {name: value for name, value in response.headers if name not in ("Date", "X-Request-ID")}
    return response.status_code, response.data, headers


def turn_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + by)


def execute(app: Flask, statement: str, **values: Any) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text(statement), values)


def test_the_link_in_the_letter_sets_another_password(app: Flask, client: FlaskClient, user: Person) -> None:
    link = reset_link(app, user.email)

    response = confirm(client, link)

    assert response.status_code == 200
    assert signs_in(app, user.email, NEW)
    assert not signs_in(app, user.email, PASSWORD)


def test_a_form_resets_as_json_does(app: Flask, client: FlaskClient, user: Person) -> None:
    client.post(ASK, data={"email": user.email})
    letter = letters_to(app, user.email, "reset_password")[0]

    response = client.post(
        CONFIRM, data={"uid": letter.uid, "token": letter.token, "new_password1": NEW, "new_password2": NEW}
    )

    assert response.status_code == 200
    assert signs_in(app, user.email, NEW)


def test_an_account_without_a_password_gets_its_first_one(app: Flask, client: FlaskClient) -> None:
    wanted = new_user(password=None)
    make_user(app, **wanted)

    response = confirm(client, reset_link(app, wanted["email"]))

    assert response.status_code == 200
    assert signs_in(app, wanted["email"], NEW)


def test_F01_the_answer_is_the_same_for_every_address(app: Flask, client: FlaskClient, user: Person) -> None:
    inactive, without_password = new_user(), new_user(password=None)
    execute(app, "UPDATE users SET is_active = false WHERE id = :id", id=make_user(app, **inactive))
    make_user(app, **without_password)
    addresses = [user.email, "nobody@example.com", inactive["email"], without_password["email"], "a@b.co.uk"]

    answers = [comparable(ask(client, address)) for address in addresses]

    assert answers[0][0] == 200
    assert answers == [answers[0]] * len(addresses)
    assert [letter.recipient for letter in letters(app)] == [user.email, without_password["email"]]


def test_F02_a_known_address_takes_as_long_as_an_unknown_one(app: Flask, client: FlaskClient, user: Person) -> None:
    def known() -> None:
        assert ask(client, user.email).status_code == 200

    def unknown() -> None:
        assert ask(client, "nobody@example.com").status_code == 200

    known(), unknown()

    assert take_as_long(known, unknown)
    assert len(letters_to(app, user.email)) > 40


FORGED_HOSTS = {
    "Host": "evil.example.net",
    "X-Forwarded-Host": "evil.example.net",
    "X-Forwarded-Server": "evil.example.net",
    "X-Forwarded-Prefix": "/evil.example.net",
    "Forwarded": "host=evil.example.net;proto=https",
    "X-Host": "evil.example.net",
    "X-Original-URL": "//evil.example.net/",
    "Origin": "http://evil.example.net",
    "Referer": "http://evil.example.net/",
}


@pytest.mark.parametrize("proxies", ["0", "1"])
def test_F03_the_link_leads_to_our_site_whatever_host_is_asked(make_app: Callable[..., Flask], proxies: str) -> None:
    app = make_app(TRUSTED_PROXIES=proxies)
    wanted = new_user()
    user_id = make_user(app, **wanted)

    response = app.test_client().post(ASK, json={"email": wanted["email"]}, headers=FORGED_HOSTS)

    assert response.status_code == 200
    (letter,) = letters(app)
    assert letter.link == f"http://accounts.example.com/reset/{user_id}/{letter.secret}/"
    assert "evil" not in letter.text + letter.html


def test_F03_the_link_leads_to_the_front_end_where_there_is_one(make_app: Callable[..., Flask]) -> None:
    app = make_app(FRONTEND_URL="https://app.example.org/")
    wanted = new_user()
    user_id = make_user(app, **wanted)

    ask(app.test_client(), wanted["email"])

    (letter,) = letters(app)
    assert letter.link == f"https://app.example.org/reset/{user_id}/{letter.secret}/"


@pytest.mark.parametrize("spelling", ["Mike.Frost@Example.com", "MIKE.FROST@EXAMPLE.COM", "  mike.frost@ｅxample.com "])
def test_F04_the_letter_goes_to_the_stored_spelling(app: Flask, client: FlaskClient, spelling: str) -> None:
    make_user(app, email="Mike.frost@example.com")

    response = ask(client, spelling)

    assert response.status_code == 200
    assert [letter.recipient for letter in letters(app)] == ["Mike.frost@example.com"]


@pytest.mark.parametrize(
    "payload",
    [
        ["mike@example.com", "eve@example.net"],
        {"email": "mike@example.com"},
        "mike@example.com,eve@example.net",
        "mike@example.com;eve@example.net",
        "mike@example.com eve@example.net",
        "mike@example.com\r\nBcc: eve@example.net",
        "mike@example.com\nCc: eve@example.net",
        "mike@example.com%0d%0aBcc:eve@example.net",
        "mike@example.com\x00eve@example.net",
        "<mike@example.com>",
        '"mike@example.com" <eve@example.net>',
        "mıke@example.com",
        "mike@example.com\u200b",
    ],
)
def test_F04_no_payload_adds_a_recipient(app: Flask, client: FlaskClient, payload: Any) -> None:
    make_user(app, email="mike@example.com")
    assert ask(client, "mike@example.com").status_code == 200

    response = ask(client, payload)

    assert response.status_code == 400
    assert [letter.recipient for letter in letters(app)] == ["mike@example.com"]


def test_F04_neither_a_second_field_nor_a_repeated_one_adds_a_recipient(app: Flask, client: FlaskClient) -> None:
    make_user(app, email="mike@example.com")

    answers = [
        client.post(ASK, json={"email": "mike@example.com", "bcc": "eve@example.net"}),
        client.post(ASK, data={"email": ["mike@example.com", "eve@example.net"]}),
    ]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert letters(app) == []


def test_F05_F06_F20_every_bad_link_gets_the_very_same_answer(
    app: Flask, client: FlaskClient, user: Person, stranger: Person
) -> None:
    used, good, foreign = (reset_link(app, email) for email in (user.email, user.email, stranger.email))
    user.post("/userapi/auth/email/change/", json={"email": "next@example.com", "password": user.password})
    client.post("/userapi/auth/email/resend/", json={"email": user.email})
    execute(app, "UPDATE one_time_tokens SET used_at = created_at WHERE digest = :d", d=digest(used["token"]))
    token, swapped = good["token"], good["token"].swapcase()
    bad = {
        "used": used,
        "another account's token": good | {"token": foreign["token"]},
        "another account's uid": good | {"uid": foreign["uid"]},
        "a uid that nobody has": good | {"uid": "999999"},
        "a uid in another spelling": good | {"uid": f"0{good['uid']}"},
        "a uid with blanks": good | {"uid": f" {good['uid']}"},
        "a uid in other digits": good | {"uid": "".join(chr(ord(digit) + 0x0660 - 0x30) for digit in good["uid"])},
        "a negative uid": good | {"uid": "-1"},
        "an enormous uid": good | {"uid": "9" * 20},
        "a uid that is no number": good | {"uid": "me"},
        "cut": good | {"token": token[:-1]},
        "longer": good | {"token": f"{token}A"},
        "one character changed": good | {"token": ("B" if token[0] == "A" else "A") + token[1:]},
        "case": good | {"token": swapped},
        "padded": good | {"token": f"{token}="},
        "blanks around it": good | {"token": f" {token} "},
        "the stored digest": good | {"token": digest(token)},
        "made up": good | {"token": "A" * 43},
        "a link that verifies": good | {"token": letters_to(app, user.email, "verify_email")[0].token},
        "a link that changes the address": good | {"token": letters_to(app, "next@example.com")[0].token},
        "an access token": good | {"token": user.tokens["access_token"][:200]},
    }

    answers = {why: comparable(confirm(client, link)) for why, link in bad.items()}

    status, body, _headers = answers["used"]
    assert (status, body.count(b'"code":"invalid_link"')) == (400, 1)
    assert {why: answer for why, answer in answers.items() if answer != answers["used"]} == {}
    assert signs_in(app, user.email, PASSWORD)
    assert signs_in(app, stranger.email, PASSWORD)
    assert confirm(client, good).status_code == 200


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_F05_a_link_works_once(app: Flask, client: FlaskClient, user: Person) -> None:
    link = reset_link(app, user.email)
    assert confirm(client, link, NEW).status_code == 200

    response = confirm(client, link, OTHER)

    assert response.status_code == 400
    assert response.get_json()["code"] == "invalid_link"
    assert signs_in(app, user.email, NEW)


def test_F05_a_link_that_only_its_use_stands_against_is_refused(app: Flask, client: FlaskClient, user: Person) -> None:
    """The password of the link's time is put back, so that the mark of the password fits again."""
    link = reset_link(app, user.email)
    with app.app_context():
        before = db.session.scalar(sa.text("SELECT password_hash FROM users WHERE id = :id"), {"id": user.id})
    assert confirm(client, link).status_code == 200
    execute(app, "UPDATE users SET password_hash = :hash WHERE id = :id", hash=before, id=user.id)

    response = confirm(client, link, OTHER)

    assert response.get_json()["code"] == "invalid_link"
    assert signs_in(app, user.email, PASSWORD)


def change_password(app: Flask, user: Person, staff: Person) -> None:
    change = {"old_password": PASSWORD, "new_password1": OTHER, "new_password2": OTHER}
    assert user.post("/userapi/auth/password/change/", json=change).status_code == 200


def complete_a_newer_reset(app: Flask, user: Person, staff: Person) -> None:
    assert confirm(user.client, reset_link(app, user.email), OTHER).status_code == 200


def move_to_another_address(app: Flask, user: Person, staff: Person) -> None:
    user.post("/userapi/auth/email/change/", json={"email": "moved@example.com", "password": PASSWORD})
    token = letters_to(app, "moved@example.com", "confirm_new_email")[0].token
    assert user.client.post("/userapi/auth/email/verify/", json={"token": token}).status_code == 200


def be_moved_by_staff_and_back(app: Flask, user: Person, staff: Person) -> None:
    for address in ("moved@example.com", user.email):
        assert staff.patch(user.url, json={"email": address}).status_code == 200


def be_deactivated(app: Flask, user: Person, staff: Person) -> None:
    assert staff.patch(user.url, json={"is_active": False}).status_code == 200


def be_deactivated_and_activated(app: Flask, user: Person, staff: Person) -> None:
    for is_active in (False, True):
        assert staff.patch(user.url, json={"is_active": is_active}).status_code == 200


def be_deleted(app: Flask, user: Person, staff: Person) -> None:
    assert staff.delete(user.url).status_code == 204


def be_deleted_and_register_again(app: Flask, user: Person, staff: Person) -> None:
    be_deleted(app, user, staff)
    assert user.client.post("/userapi/users/", json=new_user(email=user.email)).status_code == 201


@pytest.mark.parametrize(
    "event",
    [
        change_password,
        complete_a_newer_reset,
        move_to_another_address,
        be_moved_by_staff_and_back,
        be_deactivated,
        be_deactivated_and_activated,
        be_deleted,
        be_deleted_and_register_again,
    ],
)
def test_F07_K03_a_link_dies_with_the_state_it_was_made_for(
    app: Flask, user: Person, staff: Person, event: Callable[[Flask, Person, Person], None]
) -> None:
    link = reset_link(app, user.email)
    event(app, user, staff)

    response = confirm(app.test_client(), link)

    assert response.status_code == 400
    assert response.get_json()["code"] == "invalid_link"
    assert not signs_in(app, user.email, NEW)


def test_F08_a_link_is_good_for_an_hour(
    app: Flask, client: FlaskClient, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, older = reset_link(app, user.email), reset_link(app, user.email)
    turn_clock(monkeypatch, timedelta(hours=1, seconds=1))
    expired = confirm(client, older)
    turn_clock(monkeypatch, timedelta(minutes=59, seconds=30))

    in_time = confirm(client, old)

    assert (expired.status_code, expired.get_json()["code"]) == (400, "invalid_link")
    assert in_time.status_code == 200


def test_F09_two_letters_carry_different_tokens_of_256_random_bits(app: Flask, user: Person) -> None:
    tokens = {reset_link(app, user.email)["token"] for _ in range(3)}

    assert len(tokens) == 3
    assert {len(token) for token in tokens} == {43}  # 256 bits in base64 without padding


def test_F10_only_the_letter_that_waits_to_be_sent_holds_the_token(app: Flask, user: Person) -> None:
    token = reset_link(app, user.email)["token"]

    with app.app_context():
        stored = {table.name: str(db.session.execute(table.select()).all()) for table in Model.metadata.sorted_tables}

    assert [name for name, rows in stored.items() if token in rows] == ["messages"]
    assert digest(token) in stored["one_time_tokens"]


def test_F10_the_letter_names_its_secret_so_that_it_can_be_blanked(app: Flask, user: Person) -> None:
    token = reset_link(app, user.email)["token"]

    (letter,) = letters(app)
    assert letter.secret == token
    assert token in letter.text
    assert token in letter.html
    assert token not in letter.subject


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"new_password1": "short", "new_password2": "short"}, "new_password1"),
        ({"new_password1": "password1234", "new_password2": "password1234"}, "new_password1"),
        ({"new_password1": "8675309186753091", "new_password2": "8675309186753091"}, "new_password1"),
        ({"new_password1": "wren.okafor.wren", "new_password2": "wren.okafor.wren"}, "new_password1"),
        ({"new_password1": "x" * 129, "new_password2": "x" * 129}, "new_password1"),
        ({"new_password2": OTHER}, "new_password2"),
    ],
)
def test_F13_a_refused_password_leaves_the_link_good(
    app: Flask, client: FlaskClient, user: Person, fields: dict[str, str], field: str
) -> None:
    link = reset_link(app, user.email)

    refused = confirm(client, link, **fields)

    assert refused.status_code == 400
    assert list(refused.get_json()["errors"]) == [field]
    assert signs_in(app, user.email, PASSWORD)
    assert confirm(client, link).status_code == 200


def test_F13_a_bad_link_is_told_before_a_bad_password(app: Flask, client: FlaskClient, user: Person) -> None:
    link = reset_link(app, user.email)

    response = confirm(client, link | {"token": "A" * 43}, "12345678")

    assert response.get_json()["code"] == "invalid_link"


def test_F14_asking_changes_nothing(app: Flask, client: FlaskClient, user: Person) -> None:
    before = user.get("/userapi/auth/user/").get_json()

    for _ in range(3):
        ask(client, user.email)

    assert user.get("/userapi/auth/user/").get_json() == before
    assert signs_in(app, user.email, PASSWORD)
    refreshed = client.post("/api-token-refresh/", json={"refresh_token": user.tokens["refresh_token"]})
    assert refreshed.status_code == 200


def test_F15_a_reset_does_not_sign_in(app: Flask, client: FlaskClient, user: Person) -> None:
    response = confirm(client, reset_link(app, user.email))

    assert response.status_code == 200
    assert list(response.get_json()) == ["detail"]
    assert "Set-Cookie" not in response.headers


def test_F15_an_inactive_account_stays_inactive(app: Flask, client: FlaskClient, user: Person) -> None:
    link = reset_link(app, user.email)
    execute(app, "UPDATE users SET is_active = false WHERE id = :id", id=user.id)
    refused = confirm(client, link)
    execute(app, "UPDATE users SET is_active = true WHERE id = :id", id=user.id)

    assert refused.get_json()["code"] == "invalid_link"
    assert signs_in(app, user.email, PASSWORD)
    assert confirm(client, link).status_code == 200


@pytest.mark.parametrize("missing", ["uid", "token", "new_password1", "new_password2"])
def test_F15_no_step_can_be_left_out(app: Flask, client: FlaskClient, user: Person, missing: str) -> None:
    body = {**reset_link(app, user.email), "new_password1": NEW, "new_password2": NEW}
    without = {name: value for name, value in body.items() if name != missing}

    answers = [
        client.post(CONFIRM, json=json) for json in (without, without | {missing: None}, without | {missing: ""})
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert signs_in(app, user.email, PASSWORD)
    assert client.post(CONFIRM, json=body).status_code == 200


def test_F16_the_owner_is_told_of_a_reset(app: Flask, client: FlaskClient, user: Person) -> None:
    link = reset_link(app, user.email)
    confirm(client, link)

    (letter,) = letters_to(app, user.email, "password_changed")
    assert letter.secret is None
    assert not {link["token"], NEW} & set((letter.text + letter.html).split())


def test_F16_the_owner_is_told_of_a_changed_password(app: Flask, user: Person, staff: Person) -> None:
    change_password(app, user, staff)

    (letter,) = letters_to(app, user.email)
    assert letter.kind == "password_changed"
    assert OTHER not in letter.text + letter.html


def test_R18_a_reset_ends_every_session_at_once(app: Flask, client: FlaskClient, user: Person) -> None:
    browser, second = app.test_client(), sign_in(app, user.email)
    browser.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    callers: list[Callable[[], TestResponse]] = [
        lambda: user.get("/userapi/auth/user/"),
        lambda: client.get("/userapi/auth/user/", headers=bearer),
        lambda: browser.get("/userapi/auth/user/"),
    ]
    assert [call().status_code for call in callers] == [200, 200, 200]

    confirm(client, reset_link(app, user.email))

    assert [call().status_code for call in callers] == [401, 401, 401]
    for pair in (user.tokens, second):
        refresh = client.post("/api-token-refresh/", json={"refresh_token": pair["refresh_token"]})
        assert refresh.status_code == 401
    assert signs_in(app, user.email, NEW)


def test_P14_a_changed_password_ends_every_session_but_the_callers(app: Flask, user: Person, staff: Person) -> None:
    second, browser = sign_in(app, user.email), app.test_client()
    browser.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    assert user.client.get("/userapi/auth/user/", headers=bearer).status_code == 200

    change_password(app, user, staff)

    assert user.get("/userapi/auth/user/").status_code == 200
    assert user.client.get("/userapi/auth/user/", headers=bearer).status_code == 401
    assert browser.get("/userapi/auth/user/").status_code == 401


def test_a_reset_shows_that_the_address_is_the_owners(app: Flask, client: FlaskClient, user: Person) -> None:
    assert user.get("/userapi/auth/user/").get_json()["email_verified"] is False

    confirm(client, reset_link(app, user.email))

    user.tokens.update(sign_in(app, user.email, NEW))
    assert user.get("/userapi/auth/user/").get_json()["email_verified"] is True
