"""Users with second factors."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import Authenticator
from tests.support.factories import make_user
from tests.support.passkeys import add_passkey
from tests.support.second_factors import App, add_app, confirm_app, forget_used_steps, prove
from tests.support.two_steps import Owner, make_owner


@pytest.fixture
def owner(app: Flask) -> Owner:
    """A user with an authenticator app, who is not signed in."""
    return make_owner(app)


@pytest.fixture
def user_id(app: Flask) -> int:
    """A user with a confirmed email address, who is not signed in."""
    return make_user(app, email_verified=True)


@pytest.fixture
def authenticator(app: Flask, user_id: int) -> Authenticator:
    """An authenticator with a passkey of that user."""
    return add_passkey(app, user_id)


@pytest.fixture
def caller(make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """A signed-in user with a confirmed email address."""
    return make_api_user(email_verified=True)


@pytest.fixture
def phone(app: Flask, caller: ApiUser) -> App:
    """The first factor of the caller, whose session is proved by it; its codes are unused."""
    added = add_app(caller)
    assert confirm_app(caller, added).status_code == 201
    forget_used_steps(app)
    prove(caller, added.code())
    forget_used_steps(app)
    return added
