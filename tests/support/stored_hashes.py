"""Reading and changing stored password hashes, and signing in against them."""

import sqlalchemy as sa
from flask import Flask

from userapi.core.db import db


def stored_hash(app: Flask, email: str) -> str:
    """The stored hash of an account."""
    with app.app_context():
        return str(db.session.scalar(sa.text("SELECT password_hash FROM users WHERE email = :email"), {"email": email}))


def store_hash(app: Flask, email: str, hashed: str) -> None:
    """Store a hash for an account."""
    with app.app_context(), db.engine.begin() as connection:
        statement = sa.text("UPDATE users SET password_hash = :hashed WHERE email = :email")
        connection.execute(statement, {"hashed": hashed, "email": email})


def sign_in_status(app: Flask, email: str, password: str) -> int:
    """The status of a sign-in."""
    response = app.test_client().post("/api-token-auth/", json={"email": email, "password": password})
    return response.status_code
