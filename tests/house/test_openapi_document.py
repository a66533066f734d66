"""The OpenAPI document: valid, tidy, committed, and true of the answers."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import javascript
import pytest
from conftest import Person
from factories import new_user
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from userapi.cli import openapi

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "docs" / "openapi.json"


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    """The document as it is served."""
    served: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return served


def test_the_document_is_valid_OpenAPI_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_the_committed_document_keeps_the_rules_of_a_strict_linter() -> None:
    javascript.run(javascript.CLIENTS / "lint.mjs", COMMITTED)


def test_the_committed_document_is_the_served_one(app: Flask) -> None:
    assert COMMITTED.read_text() == openapi.text(app), "run `make openapi` and commit docs/openapi.json"


def test_the_command_prints_the_committed_document_without_any_environment() -> None:
    bare = {name: value for name, value in os.environ.items() if name.startswith(("COVERAGE", "LD_"))}

    printed = subprocess.run(
        [sys.executable, "-m", "userapi.cli.openapi"], cwd=ROOT, env=bare, capture_output=True, text=True, check=True
    )

    assert printed.stdout == COMMITTED.read_text()
    assert printed.stderr == ""


def test_every_operation_has_a_name_of_its_own_a_summary_and_its_refusals(document: dict[str, Any]) -> None:
    operations = [
        operation for item in document["paths"].values() for method, operation in item.items() if method != "parameters"
    ]
    names = [operation["operationId"] for operation in operations]

    assert len(set(names)) == len(names)
    for operation in operations:
        assert operation["summary"].endswith("."), operation["operationId"]
        for status, response in operation["responses"].items():
            shared = response.get("$ref", "").removeprefix("#/components/responses/")
            response = document["components"]["responses"][shared] if shared else response
            if status == "default" or int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], operation["operationId"]


def conforms(document: dict[str, Any], schema: str, value: Any) -> None:
    """A value is what a named schema of the document says."""
    resource: Resource[Any] = Resource(contents=document, specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("doc:", resource)
    Draft202012Validator({"$ref": f"doc:#/components/schemas/{schema}"}, registry=registry).validate(value)


def test_answers_are_what_the_document_says(document: dict[str, Any], user: Person, staff: Person) -> None:
    made = user.client.post("/userapi/users/", json=new_user())
    login = {"email": user.email, "password": user.password}

    conforms(document, "User", made.get_json())
    conforms(document, "User", user.get(user.url).get_json())
    conforms(document, "UserPage", staff.get("/userapi/users/?limit=1&count=true").get_json())
    conforms(document, "TokenPair", user.client.post("/api-token-auth/", json=login).get_json())
    conforms(document, "LoginAnswer", user.client.post("/userapi/auth/login/", json=login).get_json())
    conforms(document, "Sessions", user.get("/userapi/auth/sessions/").get_json())
    conforms(document, "KeySet", user.client.get("/.well-known/jwks.json").get_json())
    for refusal in (
        user.client.get(user.url),
        user.client.post("/userapi/users/", json={}),
        user.get("/userapi/users/"),
    ):
        conforms(document, "Problem", refusal.get_json())


def test_what_the_document_says_of_a_registration_is_what_is_taken(document: dict[str, Any], user: Person) -> None:
    good, bad = new_user(), new_user(first_name="x" * 151)

    conforms(document, "NewUser", good)
    assert user.client.post("/userapi/users/", json=good).status_code == 201
    assert not Draft202012Validator(document["components"]["schemas"]["NewUser"]["properties"]["first_name"]).is_valid(
        bad["first_name"]
    )
    assert user.client.post("/userapi/users/", json=bad).status_code == 400


def test_every_body_has_an_example_and_the_first_one_opens_an_account(document: dict[str, Any], user: Person) -> None:
    bodies = {
        operation["operationId"]: operation["requestBody"]["content"]["application/json"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters" and "requestBody" in operation
    }

    for body in bodies.values():
        conforms(document, body["schema"]["$ref"].rpartition("/")[2], body["example"])
    assert user.client.post("/userapi/users/", json=bodies["create_user"]["example"]).status_code == 201
    assert user.client.post("/api-token-auth/", json=bodies["obtain_tokens"]["example"]).status_code == 200
    assert user.patch("/userapi/auth/user/", json=bodies["edit_me"]["example"]).status_code == 200


def test_a_body_may_be_left_out_where_the_document_says_so(document: dict[str, Any], user: Person) -> None:
    patch = document["paths"]["/userapi/auth/user/"]["patch"]["requestBody"]
    logout = document["paths"]["/userapi/auth/logout/"]["post"]["requestBody"]
    sign_up = document["paths"]["/userapi/users/"]["post"]["requestBody"]

    assert (patch["required"], logout["required"], sign_up["required"]) == (False, False, True)
    assert user.patch("/userapi/auth/user/").status_code == 200
    assert user.post("/userapi/auth/logout/").status_code == 200
    assert user.client.post("/userapi/users/").status_code == 400
