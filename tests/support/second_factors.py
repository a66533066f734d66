"""Accounts with second factors, made by the rules that the routes call."""

import uuid
from dataclasses import dataclass

from flask import Flask

from tests.support.sql import execute_sql
from userapi.core import clock
from userapi.core.db import db
from userapi.mfa import apps, totp
from userapi.users import queries as user_queries


@dataclass
class App:
    """An authenticator app.

    Attributes:
        id: as in URLs.
        secret: base32.
    """

    id: uuid.UUID
    secret: str

    def code(self, steps: int = 0) -> str:
        """The code that it shows now, or some 30-second steps later."""
        return totp.compute_code(self.secret, int(clock.now().timestamp()) // 30 + steps)

    def wrong_code(self) -> str:
        """A code that it does not show within five minutes."""
        shown = {self.code(steps) for steps in range(-10, 11)}
        return next(code for number in range(100) if (code := f"{number:06}") not in shown)


def verify_email(app: Flask, user_id: int) -> None:
    """Confirm the email address of an account."""
    execute_sql(app, "UPDATE users SET email_verified_at = date_joined WHERE id = :id", id=user_id)


def set_up_app(app: Flask, user_id: int, name: str = "Phone") -> tuple[App, list[str]]:
    """Set up an authenticator app for an account; the app, and its recovery codes if it is the first one.

    The code that confirms it is that of the step before the present one, so that the present one is unused.
    """
    verify_email(app, user_id)
    session_id = uuid.uuid4()
    with app.app_context():
        user = user_queries.lock_user(user_id)
        assert user is not None
        added = apps.add_app(user, name, session_id)
        made = App(added.id, added.secret)
        confirmed = apps.confirm_app(user, added.id, session_id, made.code(-1))
        db.session.commit()
        return made, confirmed.recovery_codes or []
