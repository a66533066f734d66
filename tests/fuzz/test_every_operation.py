"""Schemathesis calls every operation with all kinds of input, as an anonymous caller, a user and staff."""

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
WITH_INPUT = [
    name
    for name, (path, method) in OPERATIONS.items()
    if "{" in path or DOCUMENT["paths"][path][method].keys() & {"parameters", "requestBody"}
]

# What no schema can say: which passwords are good, which days lie in the past. Right often enough for calls to succeed.
schemathesis.openapi.format("password", st.just(PASSWORD) | st.text(max_size=20))
schemathesis.openapi.format("email", st.integers(1, 99).map("person{}@example.com".format) | st.emails())
schemathesis.openapi.format("date", st.dates(date(1890, 1, 1), date(2030, 1, 1)).map(str))

#: Left out: input that the schemas allow may be refused by rules that none can say, as an address in use is; and who
#: may call what is for `tests/house/test_who_may_call.py`, since the credentials here are ours.
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
    """Who calls: a stranger, or somebody who comes anew whenever a call has ended their session or account."""

    def __init__(self, kind: str, make: Callable[..., ApiUser]) -> None:
        self._kind, self._make = kind, make
        self._person: ApiUser | None = None

    def person(self) -> ApiUser | None:
        """Somebody who is signed in, or nobody."""
        if self._kind == "nobody":
            return None
        if self._person is None or self._person.get("/userapi/auth/user/").status_code != 200:
            self._person = self._make(is_staff=self._kind == "staff")
        return self._person

    def headers(self) -> dict[str, str]:
        """What shows who calls."""
        person = self.person()
        return person.headers if person else {}


@pytest.fixture(params=["nobody", "user", "staff"])
def caller(request: pytest.FixtureRequest, database_kind: str) -> Caller:
    """Each of the three in turn; on PostgreSQL staff alone, who reach the most."""
    if database_kind == "postgresql" and request.param != "staff":
        pytest.skip("nobody and user are held to the document on SQLite")
    return Caller(request.param, request.getfixturevalue("make_api_user"))


@pytest.fixture
def described(app: Flask) -> Any:
    """The application, as its document describes it."""
    return schemathesis.openapi.from_wsgi("/openapi.json", app, config=CONFIG)


@pytest.mark.parametrize("name", OPERATIONS)
def test_good_input_gets_an_answer_of_the_document(name: str, caller: Caller, described: Any) -> None:
    path, method = OPERATIONS[name]

    @BOUNDED
    @given(case=described[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def call(case: Any) -> None:
        person = caller.person()
        if person and "user_id" in (case.path_parameters or {}):
            case.path_parameters["user_id"] = person.id
        case.call_and_validate(headers=caller.headers())

    call()


@pytest.mark.parametrize("name", WITH_INPUT)
def test_bad_input_gets_an_answer_of_the_document(name: str, caller: Caller, described: Any) -> None:
    path, method = OPERATIONS[name]

    @BOUNDED
    @given(case=described[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def call(case: Any) -> None:
        case.call_and_validate(headers=caller.headers())

    call()


def test_chains_of_calls_get_answers_of_the_document(
    caller: Caller, described: Any, app: Flask, make_api_user: Callable[..., ApiUser]
) -> None:
    class Chain(described.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            """Begin each chain with the same rows, so that it can be played again."""
            delete_all_rows(app)
            somebody = make_api_user()
            self.credentials = {"email": somebody.email, "password": somebody.password}

        def before_call(self, case: Any) -> None:
            """Let those calls succeed that others follow from."""
            if case.operation.label == "POST /userapi/users/":
                case.body = new_user()
            if case.operation.label in ("POST /api-token-auth/", "POST /userapi/auth/login/"):
                case.body = self.credentials

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": caller.headers()}

    Chain.run(settings=settings(BOUNDED, max_examples=25, stateful_step_count=8))
