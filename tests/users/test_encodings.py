"""Input that is not UTF-8 is rejected in all bodies and queries, so that no damaged text is stored."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, new_user, to_form_fields
from tests.support.form_browser import FormBrowser, hidden_value

USERS = "/userapi/users/"
URLENCODED = "application/x-www-form-urlencoded"


def multipart(fields: dict[str, bytes], part_type: str = "") -> dict[str, Any]:
    """A multipart form with the fields as raw bytes."""
    kind = f"Content-Type: {part_type}\r\n" if part_type else ""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n{kind}\r\n'.encode() + value + b"\r\n"
        for name, value in fields.items()
    ]
    return {"data": b"".join(parts) + b"--b--\r\n", "content_type": "multipart/form-data; boundary=b"}


def assert_malformed(response: TestResponse) -> None:
    assert (response.status_code, response.get_json().get("code")) == (400, "malformed_body")
    assert "UTF-8" in response.get_json()["detail"]


@pytest.mark.parametrize(
    "body", [b"first_name=Ren%E9", b"first_name=Ren\xe9", b"first_nam%E9=x", b"first_name=%ED%A0%80"]
)
def test_rejects_a_form_that_is_not_UTF_8(user: ApiUser, body: bytes) -> None:
    assert_malformed(user.patch(user.url, data=body, content_type=URLENCODED))
    assert user.get(user.url).get_json()["first_name"] == "Wren"


def test_rejects_a_multipart_form_that_is_not_UTF_8(user: ApiUser) -> None:
    assert_malformed(user.patch(user.url, **multipart({"first_name": b"Ren\xe9"})))
    assert user.get(user.url).get_json()["first_name"] == "Wren"


def test_a_password_that_is_not_UTF_8_neither_registers_nor_signs_in(client: FlaskClient, user: ApiUser) -> None:
    form = {name: str(value).encode() for name, value in to_form_fields(new_user()).items()}

    assert_malformed(client.post(USERS, **multipart(form | {"password": b"velvet tr\xe9m outside 7"})))
    assert_malformed(
        client.post("/api-token-auth/", **multipart({"email": user.email.encode(), "password": b"velvet tr\xe9m"}))
    )
    assert_malformed(
        client.post("/api-token-auth/", data=b"email=a%40b.example&password=tr%E9m", content_type=URLENCODED)
    )


def test_UTF_8_is_kept_in_every_kind_of_body(user: ApiUser) -> None:
    for name in ("René", "\ufffd", "字🦉", "a+b &=%"):
        assert user.patch(user.url, data={"first_name": name}).get_json()["first_name"] == name
        edited = user.patch(user.url, **multipart({"first_name": name.encode()}))
        assert edited.get_json()["first_name"] == name
    raw = user.patch(user.url, data="first_name=René".encode(), content_type=URLENCODED)
    assert raw.get_json()["first_name"] == "René"


def test_a_part_may_name_another_encoding(user: ApiUser) -> None:
    edited = user.patch(user.url, **multipart({"first_name": b"Ren\xe9"}, "text/plain; charset=iso-8859-1"))

    assert edited.get_json()["first_name"] == "René"


@pytest.mark.parametrize(
    "body", [b"--b\r\n\r\n", b'--b\r\nContent-Disposition: form-data; name="\xe9"\r\n\r\nx\r\n--b--', b"nothing"]
)
def test_an_unreadable_form_is_rejected_not_treated_as_empty(user: ApiUser, body: bytes) -> None:
    response = user.patch(user.url, data=body, content_type="multipart/form-data; boundary=b")

    assert (response.status_code, response.get_json().get("code")) == (400, "malformed_body")


@pytest.mark.parametrize("query", ["search=Ren%E9", "search=%ED%A0%80", "sear%FFch=x"])
def test_rejects_a_query_that_is_not_UTF_8(staff: ApiUser, query: str) -> None:
    response = staff.get(f"{USERS}?{query}")

    assert (response.status_code, response.get_json().get("code")) == (400, "bad_request")
    assert "UTF-8" in response.get_json()["detail"]
    assert staff.get(f"{USERS}?search=Ren%C3%A9").status_code == 200


def test_pages_reject_input_that_is_not_UTF_8(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    proof = hidden_value(browser.get("/login/")).encode()
    for body in (b"email=a%40b.example&password=tr%E9m", b"email=a%40b.example&password=tr\xe9m"):
        page = browser.client.post(
            "/login/", data=body + b"&csrf_token=" + proof, content_type=URLENCODED, headers={"Accept": "text/html"}
        )
        assert (page.status_code, page.mimetype) == (400, "text/html")
        assert "UTF-8" in page.text
    assert browser.get("/login/?next=%FF").status_code == 400
    shown = browser.client.post(
        "/userapi/users/", data=b"email=%E9", content_type=URLENCODED, headers={"Accept": "text/html"}
    )
    assert (shown.status_code, shown.mimetype) == (400, "text/html")


def test_a_JSON_body_may_begin_with_a_byte_order_mark(user: ApiUser) -> None:
    body = b'\xef\xbb\xbf{"first_name": "Ada"}'

    assert user.patch(user.url, data=body, content_type="application/json").get_json()["first_name"] == "Ada"


@pytest.mark.parametrize("body", ['{"email": "a@example.com", "password": "x"}', ' [{"email": "a"}]', "\n{}"])
def test_JSON_sent_as_a_form_names_the_header_it_needs(client: FlaskClient, body: str) -> None:
    response = client.post("/api-token-auth/", data=body, content_type=URLENCODED)

    assert (response.status_code, response.get_json().get("code")) == (400, "malformed_body")
    assert "Content-Type: application/json" in response.get_json()["detail"]


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8"])
def test_no_body_under_a_JSON_type_is_an_empty_body(app: Flask, user: ApiUser, media: str) -> None:
    refreshed = user.client.post(
        "/api-token-refresh/", content_type=media, headers={"Authorization": f"Bearer {user.tokens['refresh_token']}"}
    )
    assert refreshed.status_code == 200

    assert user.client.post(USERS, content_type=media).get_json()["code"] == "validation_failed"
    assert user.post("/userapi/auth/logout/", content_type=media).status_code == 200
    assert user.get(user.url).status_code == 401
    browser = app.test_client()
    browser.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    csrf = browser.get_cookie("csrf_token")
    assert csrf is not None
    left = browser.post("/userapi/auth/logout/", content_type=media, headers={"X-CSRF-TOKEN": csrf.value})
    assert left.status_code == 200


@pytest.mark.parametrize(("typed", "meant"), [("True", True), ("False", False), ("true", True)])
def test_forms_and_queries_accept_flags_as_Python_writes_them(
    staff: ApiUser, user: ApiUser, typed: str, meant: bool
) -> None:
    assert staff.patch(user.url, data={"is_active": typed}).get_json()["is_active"] is meant
    listed = staff.get(f"{USERS}?is_active={typed}&search={user.email}").get_json()["results"]
    assert [found["id"] for found in listed] == [user.id]
    assert staff.patch(user.url, json={"is_active": typed.title()}).status_code == 400
