"""Factories of users and registrations with default values."""

import itertools
from datetime import date
from typing import Any

from flask import Flask

from userapi.core.db import db
from userapi.users import accounts

sequence = itertools.count(1)

#: A password that the policy accepts.
PASSWORD = "velvet tram outside 7"

PROFILE = {
    "title": "Ms",
    "dob": "1990-12-10",
    "address": "12 Pulteney Street",
    "country": "United Kingdom",
    "city": "Bath",
    "zip": "BA2 4",
}


def new_user(**overrides: Any) -> dict[str, Any]:
    """The body of a registration that succeeds."""
    return {
        "email": f"person{next(sequence)}@example.com",
        "password": PASSWORD,
        "profile": dict(PROFILE),
        "first_name": "Wren",
        "last_name": "Okafor",
    } | overrides


def to_form_fields(document: dict[str, Any]) -> dict[str, Any]:
    """A registration as a form sends it."""
    flat = {name: value for name, value in document.items() if name != "profile"}
    return flat | {f"profile.{name}": value for name, value in document["profile"].items()}


def make_user(app: Flask, **overrides: Any) -> int:
    """Create a user of any kind without the API. Returns its id."""
    values = new_user(**overrides)
    profile = values.pop("profile")
    if profile is not None:
        profile = profile | {"dob": date.fromisoformat(str(profile["dob"]))}
    with app.app_context():
        user = accounts.create(**values, profile=profile)
        db.session.commit()
        return user.id


def make_account(app: Flask, **overrides: Any) -> str:
    """Create a user in the same way. Returns its email address."""
    email = str(new_user()["email"])
    make_user(app, email=email, **overrides)
    return email
