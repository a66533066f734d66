"""Passwords forgotten: asking for the letter, and using its link."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from inbox import letters_to
from werkzeug.test import TestResponse

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
