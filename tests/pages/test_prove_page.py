"""The page on which a signed-in user proves the identity again (decision 0049)."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD
from tests.support.form_browser import FormBrowser, hidden_value, input_value
from tests.support.proofs import prove_and_continue, shown_form, submit_shown_form
from tests.support.staff_imports import move_clock
from userapi.security.encryption import encrypt_json

CHANGE = "/account/security/email/"
NEW = "new.address@example.org"

#: Values of `next` that would leave the site, or that none of its pages has.
FOREIGN_PATHS = (
    "https://evil.example/", "http://evil.example", "//evil.example/", "///evil.example/", "////evil.example",
    "/\\evil.example/", "\\\\evil.example", "\\/evil.example", "/\t/evil.example", "/%0a//evil.example\n",
    "/\n//evil.example", "\thttps://evil.example", " //evil.example", "https:evil.example", "https:/evil.example",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "vbscript:x",
    "evil.example", "./evil", "../evil", "?next=//evil.example", "#//evil.example", "@evil.example", ":80/evil",
    "/account//evil.example", "/account/\r\nLocation: https://evil.example", "/account/\x00", "/account/<script>",
    "/account/\"onclick=x", "/account/é", "/account/ x", "/" + "x" * 1001, "http://[::1]/", "//[::1]/", "/\u2028/evil",
    "/\uff0f/evil.example", "//\u3002evil.example",
)  # fmt: skip


@pytest.fixture
def visitor(app: Flask, user: ApiUser) -> FormBrowser:
    """A browser that is signed in."""
    signed_in = FormBrowser(app)
    assert signed_in.sign_in(user.email).status_code == 303
    return signed_in


def pending_email(user: ApiUser) -> str | None:
    email: str | None = user.get("/userapi/auth/user/").get_json()["pending_email"]
    return email


def test_the_email_is_changed_without_a_password_after_a_recent_sign_in(visitor: FormBrowser, user: ApiUser) -> None:
    page = visitor.get("/account/security/")

    assert input_value(page, "password") is None
    assert visitor.send(CHANGE, {"email": NEW}, form_on="/account/security/").status_code == 303
    assert pending_email(user) == NEW


def test_what_was_typed_is_kept_while_the_identity_is_proved(
    visitor: FormBrowser, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))

    question = visitor.send(CHANGE, {"email": NEW}, form_on="/account/security/")
    assert pending_email(user) is None
    done = prove_and_continue(visitor.client, question)

    assert NEW not in question.text
    assert done.headers["Location"] == "/account/security/"
    assert pending_email(user) == NEW


def test_a_kept_form_is_shown_only_to_its_user_and_only_for_an_hour(
    app: Flask, visitor: FormBrowser, user: ApiUser, other_user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))
    question = visitor.send(CHANGE, {"email": NEW}, form_on="/account/security/")
    kept = shown_form(question)[1]["form"]
    content = {"user": user.id, "path": CHANGE, "values": [["email", NEW]]}
    with app.app_context(), monkeypatch.context() as past:
        past.setattr("time.time", lambda: 1_700_000_000.0)
        old = encrypt_json("form-to-submit", content)
    with app.app_context():
        foreign = encrypt_json("form-to-submit", content | {"user": other_user.id})
        of_another_kind = encrypt_json("kept", content)

    for form in (old, foreign, of_another_kind, "", "x", kept[:-4] + "AAAA", "é"):
        response = submit_shown_form(visitor.client, question, password=PASSWORD, form=form)
        assert (response.status_code, response.headers.get("Location")) == (303, "/account/security/"), form
    assert "Identity confirmed" in submit_shown_form(visitor.client, question, password=PASSWORD).text


@pytest.mark.parametrize("path", FOREIGN_PATHS)
def test_S67_a_proof_leads_to_pages_of_this_site_only(
    visitor: FormBrowser, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    recent = visitor.get("/prove/", query_string={"next": path})
    move_clock(monkeypatch, timedelta(minutes=16))
    page = visitor.get("/prove/", query_string={"next": path})

    response = submit_shown_form(visitor.client, page, password=PASSWORD, next=path)

    assert recent.headers["Location"] == response.headers["Location"] == "/account/"
    assert hidden_value(page, "next") == ""


def test_S67_a_proof_leads_to_the_page_that_was_requested(
    visitor: FormBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/account/activity/?cursor=a%2Fb"
    assert visitor.get("/prove/", query_string={"next": path}).headers["Location"] == path
    move_clock(monkeypatch, timedelta(minutes=16))

    page = visitor.get("/prove/", query_string={"next": path})

    assert submit_shown_form(visitor.client, page, password=PASSWORD).headers["Location"] == path
    assert visitor.get("/prove/").headers["Location"] == "/account/"


def test_a_wrong_password_shows_the_form_again_and_keeps_what_was_submitted(
    visitor: FormBrowser, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))
    question = visitor.send(CHANGE, {"email": NEW}, form_on="/account/security/")

    wrong = submit_shown_form(visitor.client, question, password="not this one")
    empty = submit_shown_form(visitor.client, wrong, password="")
    proved = submit_shown_form(visitor.client, empty, password=PASSWORD)

    assert (wrong.status_code, empty.status_code) == (401, 401)
    assert "This is not your current password." in wrong.text
    assert submit_shown_form(visitor.client, proved).status_code == 303
    assert pending_email(user) == NEW


def test_the_page_requires_a_session_and_its_form_a_csrf_token(app: Flask, visitor: FormBrowser) -> None:
    assert FormBrowser(app).get("/prove/?next=/account/").headers["Location"].startswith("/login/?next=/prove/")
    assert visitor.post("/prove/", {"password": PASSWORD}).status_code == 403
