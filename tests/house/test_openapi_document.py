"""The OpenAPI document is valid, committed and describes the real responses."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.support import node
from tests.support.api_client import ApiUser
from tests.support.factories import new_user
from tests.support.form_browser import FormBrowser
from userapi import VERSION
from userapi.cli import openapi
from userapi.http.openapi import Blueprint
from userapi.users.password_policy import MAX_NEW_PASSWORD_LENGTH
from userapi.users.problems import EmailTaken

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "docs" / "openapi.json"


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    """The served document."""
    served: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return served


def test_the_document_is_valid_OpenAPI_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_the_committed_document_passes_a_strict_linter() -> None:
    node.run_script(node.CLIENTS / "lint.mjs", COMMITTED)


def test_the_committed_document_is_the_served_one(app: Flask) -> None:
    assert COMMITTED.read_text() == openapi.text(app), "run `make openapi` and commit docs/openapi.json"


def test_the_command_prints_the_committed_document_without_any_environment() -> None:
    bare = {name: value for name, value in os.environ.items() if name.startswith(("COVERAGE", "LD_"))}

    printed = subprocess.run(
        [sys.executable, "-m", "userapi.cli.openapi"], cwd=ROOT, env=bare, capture_output=True, text=True, check=True
    )

    assert printed.stdout == COMMITTED.read_text()
    assert printed.stderr == ""


def test_the_document_is_in_English_even_if_a_German_reads_it_first(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    blueprint = Blueprint("new", __name__)

    @blueprint.get("/new/")
    @blueprint.raises(EmailTaken)
    def new_operation() -> None:
        """Never run."""

    api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    api.register_blueprint(blueprint)

    with app.test_request_context(headers={"Accept-Language": "de"}):
        title = str(EmailTaken.title)
        described = api.spec.to_dict()["paths"]["/new/"]["get"]["responses"]["400"]

    example = described["content"]["application/problem+json"]["examples"]["email_taken"]
    assert example["value"]["title"] == str(EmailTaken.title) != title


def test_every_operation_has_a_unique_id_a_summary_and_its_errors(document: dict[str, Any]) -> None:
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


def responses(document: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """The documented responses with a body: operation, status, media type and description."""
    for item in document["paths"].values():
        for method, operation in item.items():
            if method != "parameters":
                for status, response in operation["responses"].items():
                    for media_type, content in response.get("content", {}).items():
                        yield operation["operationId"], status, media_type, content


def test_every_response_has_a_valid_example(document: dict[str, Any]) -> None:
    seen = 0
    for operation, status, _media_type, content in responses(document):
        examples = [content["example"]] if "example" in content else [e["value"] for e in content["examples"].values()]
        assert examples, (operation, status)
        for example in examples:
            validate_inline(document, content["schema"], example)
            seen += 1
            if status.isdigit() and "code" in example:
                assert example["status"] == int(status), (operation, status)
    assert seen > 80


def test_the_example_texts_are_those_of_the_operations(document: dict[str, Any], user: ApiUser) -> None:
    said = {
        operation: content["example"] for operation, status, _type, content in responses(document) if status == "200"
    }

    resent = user.client.post("/userapi/auth/email/resend/", json={"email": user.email})
    reset = user.client.post("/userapi/auth/password/reset/", json={"email": user.email})
    left = user.post("/userapi/auth/logout/")

    assert (said["resend_verification"], said["ask_to_reset_password"]) == (resent.get_json(), reset.get_json())
    assert said["logout"] == left.get_json()


def test_every_field_and_every_way_to_sign_in_is_described(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema["properties"].items():
            assert described.get("description"), (name, field)
    schemes = document["components"]["securitySchemes"]
    assert set(schemes) == {"api_key", "bearer", "cookie", "oauth2"}
    assert all(scheme["description"] for scheme in schemes.values())


def test_every_id_in_a_path_has_an_example(document: dict[str, Any]) -> None:
    found = [
        parameter
        for item in document["paths"].values()
        for parameter in item.get("parameters", [])
        if parameter["in"] == "path"
    ]

    assert {parameter["name"] for parameter in found} >= {"user_id", "session_id"}
    for parameter in found:
        Draft202012Validator(parameter["schema"]).validate(parameter["example"])


def test_the_document_lists_the_codes_of_the_page_on_errors(document: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "errors.md").read_text()

    listed = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]

    codes = re.findall(r"^\| `(\w+)` \| \d{3} \|", page, re.MULTILINE)
    assert sorted(set(codes)) == listed  # `invalid_code` has two statuses


def test_the_document_has_the_lengths_that_the_settings_enforce(
    make_app: Callable[..., Flask], document: dict[str, Any]
) -> None:
    longer = make_app(PASSWORD_MIN_LENGTH="15").test_client().get("/openapi.json").get_json()

    for found, minimum in ((document, 8), (longer, 15)):
        schemas = found["components"]["schemas"]
        for schema, field in (
            ("NewUser", "password"),
            ("PasswordChange", "new_password1"),
            ("PasswordReset", "new_password2"),
        ):
            limits = schemas[schema]["properties"][field]
            assert (limits["minLength"], limits["maxLength"]) == (minimum, MAX_NEW_PASSWORD_LENGTH)


def test_the_document_names_the_available_languages_and_the_version(document: dict[str, Any]) -> None:
    language = document["components"]["schemas"]["NewUser"]["properties"]["language"]

    assert {"en", "de", None} <= set(language["enum"])
    assert document["info"]["version"] == VERSION
    assert "version = attr: userapi.VERSION" in (ROOT / "setup.cfg").read_text()


def test_the_second_token_paths_are_served_but_not_listed(app: Flask, document: dict[str, Any], user: ApiUser) -> None:
    login = {"email": user.email, "password": user.password}

    assert user.client.post("/userapi/api-token-auth/", json=login).status_code == 200
    assert not [path for path in document["paths"] if path.startswith("/userapi/api-token-")]
    assert [tag["name"] for tag in document["tags"]] == [
        "index",
        "tokens",
        "keys",
        "passkey_discovery",
        "auth",
        "passkeys",
        "mailed_codes",
        "second_step",
        "proof",
        "factors",
        "providers",
        "identities",
        "activity",
        "own_data",
        "closing",
        "api_keys",
        "own_invitations",
        "users",
        "invitations",
        "service_accounts",
        "webhooks",
        "events",
        "apps",
    ]
    page = FormBrowser(app).get("/userapi/api-token-auth/")
    assert "Exchange email and password for tokens" in page.text


def test_an_OAuth_client_signs_in_with_the_password_flow(
    client: FlaskClient, document: dict[str, Any], user: ApiUser
) -> None:
    flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["password"]
    form = {"grant_type": "password", "username": user.email, "password": user.password, "scope": ""}

    response = client.post(flow["tokenUrl"], data=form, headers={"Authorization": "Basic dW5kZWZpbmVkOg=="})

    assert response.status_code == 200
    assert response.get_json()["token_type"] == "Bearer"
    other = client.post(flow["tokenUrl"], data={**form, "grant_type": "client_credentials"})
    assert (other.status_code, list(other.get_json()["errors"])) == (400, ["grant_type"])


def validate_inline(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Check a value against an inline schema of the document."""
    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole).validate(value)


def assert_conforms(document: dict[str, Any], schema: str, value: Any) -> None:
    """Check a value against a named schema of the document."""
    resource: Resource[Any] = Resource(contents=document, specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("doc:", resource)
    Draft202012Validator({"$ref": f"doc:#/components/schemas/{schema}"}, registry=registry).validate(value)


def test_responses_conform_to_the_document(document: dict[str, Any], user: ApiUser, staff: ApiUser) -> None:
    made = user.client.post("/userapi/users/", json=new_user())
    login = {"email": user.email, "password": user.password}

    assert_conforms(document, "User", made.get_json())
    assert_conforms(document, "User", user.get(user.url).get_json())
    assert_conforms(document, "UserPage", staff.get("/userapi/users/?limit=1&count=true").get_json())
    assert_conforms(document, "TokenPair", user.client.post("/api-token-auth/", json=login).get_json())
    assert_conforms(document, "LoginAnswer", user.client.post("/userapi/auth/login/", json=login).get_json())
    assert_conforms(document, "Sessions", user.get("/userapi/auth/sessions/").get_json())
    assert_conforms(document, "KeySet", user.client.get("/.well-known/jwks.json").get_json())
    for problem in (
        user.client.get(user.url),
        user.client.post("/userapi/users/", json={}),
        user.get("/userapi/users/"),
    ):
        assert_conforms(document, "Problem", problem.get_json())


def test_the_documented_registration_is_accepted(document: dict[str, Any], user: ApiUser) -> None:
    good, bad = new_user(), new_user(first_name="x" * 151)

    assert_conforms(document, "NewUser", good)
    assert user.client.post("/userapi/users/", json=good).status_code == 201
    assert not Draft202012Validator(document["components"]["schemas"]["NewUser"]["properties"]["first_name"]).is_valid(
        bad["first_name"]
    )
    assert user.client.post("/userapi/users/", json=bad).status_code == 400


def test_every_body_has_an_example_and_the_first_one_creates_an_account(
    document: dict[str, Any], user: ApiUser
) -> None:
    bodies = {
        operation["operationId"]: operation["requestBody"]["content"]["application/json"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters" and "requestBody" in operation
    }

    for body in bodies.values():
        assert_conforms(document, body["schema"]["$ref"].rpartition("/")[2], body["example"])
    assert user.client.post("/userapi/users/", json=bodies["create_user"]["example"]).status_code == 201
    assert user.client.post("/api-token-auth/", json=bodies["obtain_tokens"]["example"]).status_code == 200
    assert user.patch("/userapi/auth/user/", json=bodies["edit_me"]["example"]).status_code == 200


def test_a_body_may_be_left_out_where_the_document_says_so(document: dict[str, Any], user: ApiUser) -> None:
    patch = document["paths"]["/userapi/auth/user/"]["patch"]["requestBody"]
    logout = document["paths"]["/userapi/auth/logout/"]["post"]["requestBody"]
    sign_up = document["paths"]["/userapi/users/"]["post"]["requestBody"]

    assert (patch["required"], logout["required"], sign_up["required"]) == (False, False, True)
    assert user.patch("/userapi/auth/user/").status_code == 200
    assert user.post("/userapi/auth/logout/").status_code == 200
    assert user.client.post("/userapi/users/").status_code == 400


def test_a_status_without_its_own_problem_has_a_documented_code(client: FlaskClient, document: dict[str, Any]) -> None:
    listed = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]

    response = client.get("/static/docs.css", headers={"Range": "bytes=999999-"})

    assert response.status_code == 416
    assert response.get_json()["code"] in listed
