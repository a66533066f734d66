"""Closing and restoring accounts over the API, and deleting those whose time has come."""

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.email_inbox import emails_to
from userapi.privacy import removal, retention

CLOSE = "/userapi/auth/user/close/"
RESTORE = "/userapi/auth/user/restore/"
NEW_PASSWORD = "brittle harbour lantern 42"


def close(user: ApiUser) -> TestResponse:
    """Close an account with its password."""
    return user.post(CLOSE, json={"password": user.password})


def closing_token(app: Flask, email: str) -> str:
    """The token of the link that restores the account which was closed last, as it was sent to an address."""
    return emails_to(app, email, "account_closing")[-1].token


def restore(app: Flask, token: str, password: str = NEW_PASSWORD) -> TestResponse:
    """Restore an account with a link and a new password."""
    body = {"token": token, "new_password1": password, "new_password2": password}
    return app.test_client().post(RESTORE, json=body)


def delete_due(app: Flask) -> int:
    """Delete the closed accounts whose time has come; their number."""
    with app.app_context():
        return removal.delete_due()


def run_retention(app: Flask) -> dict[str, int]:
    """Warn the owners of accounts that no one uses, and close or delete these accounts; the number of each outcome."""
    with app.app_context():
        return retention.run()
