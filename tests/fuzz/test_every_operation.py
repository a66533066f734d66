"""Schemathesis calls every operation with all kinds of input, as an anonymous caller, a user and a superuser."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode

from tests.support.api_client import ApiUser
from tests.support.databases import delete_all_rows
from tests.support.factories import PASSWORD, new_user

pytestmark = [pytest.mark.fuzz, pytest.mark.both]

DOCUMENT = json.loads((Path(__file__).resolve().parents[2] / "docs" / "openapi.json").read_text())
OPERATIONS = {
    operation["operationId"]: (path, method)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}
# Any text can be the id of a provider or of a client application, so it is never invalid.
WITH_INPUT = [
    name
    for name, (path, method) in OPERATIONS.items()
    if "{" in path.replace("{provider_id}", "").replace("{client_id}", "")
    or DOCUMENT["paths"][path][method].keys() & {"parameters", "requestBody"}
]

# Schemas cannot say which passwords are strong and which dates are in the past; often enough, these values are valid.
schemathesis.openapi.format("password", st.just(PASSWORD) | st.text(max_size=20))
schemathesis.openapi.format("email", st.integers(1, 99).map("person{}@example.com".format) | st.emails())
schemathesis.openapi.format("date", st.dates(date(1890, 1, 1), date(2030, 1, 1)).map(str))

#: Input that fits the schemas may be rejected by other rules, such as an email in use. Permissions are tested in
#: `tests/house/test_who_may_call.py`, because the credentials here come from the test.
CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {"with-security-parameters": False},
        "checks": {"positive_data_acceptance": {"enabled": False}, "ignored_auth": {"enabled": False}},
    }
)

BOUNDED = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Caller:
    """An anonymous caller, or a user who is created again when a request has ended their session or account."""

    def __init__(self, kind: str, make: Callable[..., ApiUser]) -> None:
        self._kind, self._make = kind, make
        self._user: ApiUser | None = None

    def user(self) -> ApiUser | None:
        """A user who is signed in, or None."""
        if self._kind == "anonymous":
            return None
        if self._user is None or self._user.get("/userapi/auth/user/").status_code != 200:
            is_superuser = self._kind == "superuser"
            self._user = self._make(is_staff=is_superuser, is_superuser=is_superuser)
        return self._user

    def headers(self) -> dict[str, str]:
        """The headers that authenticate the caller."""
        user = self.user()
        return user.headers if user else {}


@pytest.fixture(params=["anonymous", "user", "superuser"])
def caller(request: pytest.FixtureRequest, database_kind: str) -> Caller:
    """Each kind of caller; on PostgreSQL only superusers, who reach every operation."""
    if database_kind == "postgresql" and request.param != "superuser":
        pytest.skip("anonymous callers and users are tested on SQLite")
    return Caller(request.param, request.getfixturevalue("make_api_user"))


@pytest.fixture(scope="session")
def schema(shared_app: Flask) -> Any:
    """The schema of the application, read once from its API document."""
    return schemathesis.openapi.from_wsgi("/openapi.json", shared_app, config=CONFIG)


@pytest.fixture
def schema_of_app(schema: Any, app: Flask) -> Any:
    """The schema of the application, which sends codes by email."""
    app.config["SIGN_IN_BY_MAIL"] = "link"
    return schema


@pytest.mark.parametrize("name", OPERATIONS)
def test_valid_input_gets_a_documented_response(name: str, caller: Caller, schema_of_app: Any) -> None:
    path, method = OPERATIONS[name]

    @BOUNDED
    @given(case=schema_of_app[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def call(case: Any) -> None:
        user = caller.user()
        if user and "user_id" in (case.path_parameters or {}):
            case.path_parameters["user_id"] = user.id
        case.call_and_validate(headers=caller.headers())

    call()


@pytest.mark.parametrize("name", WITH_INPUT)
def test_invalid_input_gets_a_documented_response(name: str, caller: Caller, schema_of_app: Any) -> None:
    path, method = OPERATIONS[name]

    @BOUNDED
    @given(case=schema_of_app[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def call(case: Any) -> None:
        case.call_and_validate(headers=caller.headers())

    call()


def test_chains_of_requests_get_documented_responses(
    caller: Caller, schema_of_app: Any, app: Flask, make_api_user: Callable[..., ApiUser]
) -> None:
    class Chain(schema_of_app.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            """Start each chain with the same rows, so that it can be reproduced."""
            delete_all_rows(app)
            user = make_api_user()
            self.credentials = {"email": user.email, "password": user.password}

        def before_call(self, case: Any) -> None:
            """Let the requests succeed that others depend on."""
            if case.operation.label == "POST /userapi/users/":
                case.body = new_user()
            if case.operation.label in ("POST /api-token-auth/", "POST /userapi/auth/login/"):
                case.body = self.credentials

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": caller.headers()}

    Chain.run(settings=settings(BOUNDED, max_examples=25, stateful_step_count=8))
