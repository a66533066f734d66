"""Every operation has a page: its description, its response, links, and a form for what the caller may do."""

import re
import uuid
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.api_page import ApiPage
from tests.support.factories import new_user
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser
from tests.support.openapi import documented_operations
from userapi.http.negotiation import PROGRAM_PATHS

USERS = "/userapi/users/"
ME = "/userapi/auth/user/"


def filled(path: str, ids: dict[str, Any]) -> str:
    """A path with its placeholders filled in."""
    return re.sub(r"{(\w+)}", lambda name: str(ids.get(name[1]) or uuid.uuid4()), path)


def make_targets(superuser: ApiUser) -> dict[str, Any]:
    """The ids of what operations are about: a service account, a webhook with a delivery, an invitation."""
    account = superuser.post("/userapi/service-accounts/", json={"name": "billing"}).get_json()
    webhook = superuser.post(
        "/userapi/webhooks/", json={"url": "https://hook.example.com/", "events": ["*"]}
    ).get_json()
    superuser.patch(ME, json={"first_name": "Grace"})
    deliveries = superuser.get(f"/userapi/webhooks/{webhook['id']}/deliveries/").get_json()["results"]
    invitation = superuser.post("/userapi/invitations/", json={"email": "guest@example.com"}).get_json()
    return {
        "service": account["id"], "webhook_id": webhook["id"], "delivery_id": deliveries[0]["id"], "identity_id": 1,
        "invitation_id": invitation["id"],
    }  # fmt: skip


def fields(document: dict[str, Any], schema: dict[str, Any], prefix: str = "") -> set[str]:
    """The fields that users can fill in, named as in a form; a field without a type is always rejected."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    found = set()
    for name, part in schema["properties"].items():
        (inner, *_null) = part.get("anyOf", [part])
        if part.get("x-set-by") == "programs":
            continue
        if "$ref" in inner:
            found |= fields(document, inner, f"{prefix}{name}.")
        elif "type" in inner:
            found.add(prefix + name)
    return found


def test_every_operation_has_a_page_with_a_form_of_exactly_its_schema(app: Flask, superuser: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(superuser.email)
    document = browser.client.get("/openapi.json").get_json()
    targets = make_targets(superuser)
    seen = 0
    for method, path, operation in documented_operations(app):
        if path.startswith(PROGRAM_PATHS):
            continue
        user_id = targets["service"] if "/service-accounts/" in path else superuser.id
        path_with_id = filled(path, targets | {"user_id": user_id})
        response = browser.get(path_with_id)
        page = ApiPage(response)
        seen += 1

        assert response.status_code in (200, 405), path
        assert operation["summary"].rstrip(".") in response.text.replace("&#39;", "'"), path
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query" and method == "GET":
                assert parameter["name"] in page.forms["get"], path
        if method != "GET":
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            assert page.fields(method) == (fields(document, body) if body else set()), (method, path)
            assert page.attributes[method]["action"] == path_with_id
    assert seen >= 24


def test_a_form_has_the_types_and_limits_of_its_schema(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    patch = ApiPage(browser.get(user.url)).forms["PATCH"]
    register = ApiPage(browser.get(USERS)).forms["POST"]

    assert {name: patch[name]["type"] for name in ("email", "profile.dob", "first_name")} == {
        "email": "email",
        "profile.dob": "date",
        "first_name": "text",
    }
    assert (patch["profile.city"]["value"], patch["profile.dob"]["value"]) == ("Bath", "1990-12-10")
    assert "data-nullable" in patch["username"]
    assert register["password"]["type"] == "password"
    assert [name for name, input in register.items() if "required" in input] == [
        "email", "password", "profile.title", "profile.dob", "profile.address", "profile.country", "profile.city",
        "profile.zip",
    ]  # fmt: skip
    assert patch["current_password"]["type"] == "password"
    assert patch["current_password"]["autocomplete"] == "current-password"
    assert "required" not in patch["email"]


FLAGS = {"is_active", "is_staff", "is_superuser"}


@pytest.mark.parametrize(("role", "shown"), [("user", set()), ("staff", {"is_active"}), ("superuser", FLAGS)])
def test_a_form_has_the_flags_that_the_caller_may_set(
    app: Flask, user: ApiUser, staff: ApiUser, superuser: ApiUser, role: str, shown: set[str]
) -> None:
    caller = {"user": user, "staff": staff, "superuser": superuser}[role]
    browser = FormBrowser(app)
    browser.sign_in(caller.email)

    form = ApiPage(browser.get(user.url)).forms["PATCH"]
    accepted = {name for name in FLAGS if caller.patch(user.url, json={name: name != "is_active"}).status_code == 200}

    assert set(form) & FLAGS == shown == accepted
    assert all(form[name]["type"] == "checkbox" for name in shown)
    assert ["checked" in form[name] for name in sorted(shown)] == [True, False, False][: len(shown)]


@pytest.mark.parametrize(
    ("role", "path", "expected"),
    [
        (None, USERS, {"POST"}),
        (None, ME, set()),
        (None, "/userapi/auth/password/change/", set()),
        (None, "/userapi/auth/login/", {"POST"}),
        ("user", USERS, {"POST"}),
        ("user", "own", {"PUT", "PATCH"}),
        ("user", "another", set()),
        ("user", ME, {"PUT", "PATCH"}),
        ("user", "/userapi/auth/sessions/", {"DELETE"}),
        ("staff", USERS, {"get", "POST"}),
        ("staff", "another", {"PUT", "PATCH", "DELETE"}),
    ],
)
def test_a_page_has_the_forms_of_what_the_caller_may_do(
    app: Flask, user: ApiUser, staff: ApiUser, other_user: ApiUser, role: str | None, path: str, expected: set[str]
) -> None:
    browser = FormBrowser(app)
    caller = {"user": user, "staff": staff, None: None}[role]
    if caller:
        browser.sign_in(caller.email)
    path = {"own": user.url, "another": other_user.url}.get(path, path)

    page = ApiPage(browser.get(path))

    assert set(page.forms) == expected


def test_a_path_without_GET_has_a_page_with_its_form(app: Flask) -> None:
    response = FormBrowser(app).get("/api-token-auth/")
    page = ApiPage(response)

    assert response.status_code == 405
    assert response.headers["Allow"] in ("POST, OPTIONS", "OPTIONS, POST")
    assert page.fields("POST") == {"email", "username", "password", "code"}


def test_a_list_links_to_the_next_page_the_users_and_back(app: Flask, staff: ApiUser) -> None:
    for _number in range(4):
        staff.client.post(USERS, json=new_user())
    browser = FormBrowser(app)
    browser.sign_in(staff.email)

    first = ApiPage(browser.get(f"{USERS}?limit=2&ordering=-email"))
    (following,) = {path for path, text in first.links if text.startswith("Next")}
    second = ApiPage(browser.get(following))
    (back,) = {path for path, text in second.links if "Previous" in text}

    assert following.startswith(f"{USERS}?limit=2&ordering=-email&cursor=")
    assert ApiPage(browser.get(back)).response_text.count('"url"') == 2
    members = [path for path, text in first.links if text.startswith('"http://accounts.example.com/userapi/users/')]
    assert [browser.get(path).status_code for path in members[:2]] == [200, 200]
    assert any(path == staff.url and text == str(staff.id) for path, text in ApiPage(browser.get(USERS)).links)


def test_the_filters_of_a_list_are_a_form_that_works_without_a_script(app: Flask, staff: ApiUser) -> None:
    staff.client.post(USERS, json=new_user(last_name="Quimby"))
    browser = FormBrowser(app)
    browser.sign_in(staff.email)
    form = ApiPage(browser.get(USERS)).forms["get"]
    assert {"limit", "cursor", "search", "is_active", "country", "ordering", "count"} <= set(form)

    sent = browser.get(f"{USERS}?" + "&".join(f"{name}={'quimby' if name == 'search' else ''}" for name in form))
    found = browser.follow(sent)

    assert sent.headers["Location"] == f"{USERS}?search=quimby"
    assert ApiPage(found).response_text.count("Quimby") == 1
    assert ApiPage(found).forms["get"]["search"]["value"] == "quimby"


def test_the_error_of_a_filter_is_shown_beside_its_input(app: Flask, staff: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(staff.email)

    rejected = browser.get(f"{USERS}?limit=900")

    assert rejected.status_code == 400
    assert list(ApiPage(rejected).errors) == ["limit"]
    assert ApiPage(rejected).forms["get"]["limit"]["aria-invalid"] == "true"
    assert ApiPage(rejected).forms["get"]["limit"]["value"] == "900"


def test_breadcrumbs_lead_up_to_what_can_be_read(app: Flask, staff: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(staff.email)

    def crumbs(path: str) -> list[tuple[str, str]]:
        return [link for link in ApiPage(browser.get(path)).links if link[1] in ("API", "users", "auth", "password")]

    assert crumbs(staff.url)[:2] == [("/userapi/", "API"), (USERS, "users")]
    assert crumbs("/userapi/auth/password/change/") == [("/userapi/", "API"), ("/userapi/auth/", "auth")]


def test_the_index_links_to_every_path_below_it(app: Flask) -> None:
    page = ApiPage(FormBrowser(app).get("/userapi/"))

    for _method, path, _operation in documented_operations(app):
        if path.startswith("/userapi/") and path != "/userapi/":
            assert path in page.response_text or path in FormBrowser(app).get("/userapi/").text
            assert "{" in path or path in {link for link, _text in page.links}, path


def test_a_page_says_who_is_signed_in(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    anonymous = browser.get("/userapi/?x=1")
    browser.sign_in(user.email)
    signed_in = [browser.get(path).text for path in ("/userapi/", ME, "/api-token-auth/", "/userapi/auth/")]

    assert '<a href="/login/?next=%2Fuserapi%2F%3Fx%3D1">' in anonymous.text
    for text in signed_in:
        assert f"<strong>{user.email}</strong>" in text
        assert "Not signed in" not in text


def test_a_caller_with_a_bearer_token_sees_pages_without_a_csrf_token(user: ApiUser) -> None:
    page = ApiPage(user.get(user.url, headers=BROWSER_HEADERS))

    assert set(page.forms) == {"PUT", "PATCH"}
    assert "csrf_token" not in page.forms["PATCH"]


def test_an_index_page_runs_no_more_statements_than_its_data(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    page = browser.get("/userapi/")

    assert page.status_code == 200
    assert "Set-Cookie" not in page.headers


def test_each_text_has_its_own_direction(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    forms = ApiPage(browser.get(f"{user.url}?lang=ar")).forms

    assert forms["PATCH"]["profile.address"]["dir"] == "auto"
    assert forms["PATCH"]["email"]["dir"] == "ltr"
