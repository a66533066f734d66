"""The signed cookie in which a notice travels from one page of the staff site to the next; elsewhere there is none."""

import hashlib

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer

from userapi.security import signing_keys

PATH = "/admin/"


class NoticeCookie(SecureCookieSessionInterface):
    """Flask's session, under `/admin/` only: no other request opens, signs or sends it."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The notices that wait; None elsewhere, where Flask then keeps nothing."""
        return super().open_session(app, request) if request.path.startswith(PATH) else None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Signs with a key of its own, so that no other cookie or token can stand in."""
        with app.app_context():
            key = signing_keys.derive_key("staff-site-notices")
        return URLSafeTimedSerializer(
            key,
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs={"key_derivation": self.key_derivation, "digest_method": hashlib.sha256},
        )


def configure(app: Flask) -> None:
    """Use this cookie for `flash`."""
    app.config.update(
        SESSION_COOKIE_NAME="staff_notices",
        SESSION_COOKIE_PATH=PATH,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=app.config["SITE_URL"].startswith("https://"),
    )
    app.session_interface = NoticeCookie()
