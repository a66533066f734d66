"""Requesting and entering codes by email, as programs do."""

import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.email_inbox import Email, emails_to

REQUEST = "/userapi/auth/code/"
CONFIRM = "/userapi/auth/code/confirm/"


def request_code(app: Flask, email: str, **more: str) -> str:
    """Request a code to sign in with, and return what names the request."""
    answer = app.test_client().post(REQUEST, json={"email": email, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.get_json()["challenge"])


def newest_email(app: Flask, email: str) -> Email:
    """The newest email with a code to this email address."""
    return emails_to(app, email, "sign_in_code")[-1]


def code_in(email: Email) -> str:
    """The code in an email: the first thing in it."""
    found = re.match(r"\d{4} \d{4}\b", email.text)
    assert found, email.text
    return found[0]


def link_in(email: Email) -> str:
    """The link in an email."""
    return re.findall(r"https?://\S+", email.text)[0]


def token_in(email: Email) -> str:
    """The last part of the link in an email."""
    return link_in(email).rstrip("/").rpartition("/")[2]


def confirm(app: Flask, **sent: Any) -> TestResponse:
    """Send a code or link to sign in."""
    return app.test_client().post(CONFIRM, json=sent)


def is_rejected(response: TestResponse) -> bool:
    """Whether a code was rejected with the one error for all reasons."""
    assert response.status_code == 401, response.text
    return bool(response.get_json()["code"] == "invalid_code")


def other_code(code: str) -> str:
    """A wrong code: another last digit."""
    return f"{code[:-1]}{(int(code[-1]) + 1) % 10}"
