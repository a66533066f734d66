"""Schemathesis calls the operations that have profiles, of a service with own fields of every kind."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import given
from schemathesis.generation import GenerationMode

from tests.fuzz.test_every_operation import BOUNDED, CONFIG, OPERATIONS
from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import make_account
from tests.support.own_fields import EVERY_KIND

pytestmark = [pytest.mark.fuzz, pytest.mark.both]

#: Every kind, and fields that are unique or not the owner's to write or to see.
DECLARATION = (
    EVERY_KIND
    + '[profile.badge]\ntype = "line"\nunique = true\n[profile.tier]\ntype = "line"\nwrite = "staff"\n'
    + '[profile.note]\ntype = "line"\nwrite = "staff"\nread = "staff"\nfind = "exact"\n'
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("name", ["create_user", "list_users", "replace_user", "edit_user", "edit_me"])
def test_W15_own_fields_get_documented_responses(
    name: str, mode: GenerationMode, declare: Callable[..., Flask]
) -> None:
    app = declare(DECLARATION)
    email = make_account(app, profile=None, is_staff=True)
    caller = ApiUser(app.test_client(), 0, email, "", sign_in(app, email))
    user_id = caller.get("/userapi/auth/user/").get_json()["id"]
    path, method = OPERATIONS[name]
    schema: Any = schemathesis.openapi.from_wsgi("/openapi.json", app, config=CONFIG)

    @BOUNDED
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and "user_id" in (case.path_parameters or {}):
            case.path_parameters["user_id"] = user_id
        case.call_and_validate(headers=caller.headers)

    call()
