"""How the language of a response is chosen: by cookie, browser, account or setting."""

from collections.abc import Callable
from time import thread_time

import pytest
from flask import Flask
from flask.testing import FlaskClient

import config
from tests.support.api_client import ApiUser
from tests.support.app_config import app_config
from tests.support.factories import new_user
from userapi.core import i18n

NOWHERE = "/userapi/nothing/"
NOT_FOUND = {"en": "Not found", "de": "Nicht gefunden", "fr": "Introuvable", "es": "No encontrado", "ar": "غير موجود"}


def spoken(client: FlaskClient, accept: str | None = None, path: str = NOWHERE) -> str:
    """The declared language of a response, and that of its text."""
    response = client.get(path, headers={} if accept is None else {"Accept-Language": accept})
    language = response.headers["Content-Language"]
    assert response.get_json()["title"] == NOT_FOUND[language]
    return str(language)


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        (None, "en"), ("", "en"), ("de", "de"), ("fr", "fr"), ("es", "es"), ("ar", "ar"), ("en", "en"),
        ("de-AT", "de"), ("de-AT, en;q=0.5", "de"), ("es-419,es;q=0.9", "es"), ("ar-EG", "ar"),
        ("DE", "de"), ("de_CH", "de"), ("fr-FR-u-nu-latn, de;q=0.1", "fr"),
        ("en-US,en;q=0.9,de;q=0.8", "en"), ("fr;q=0.2, es;q=0.8", "es"), ("de;q=0.8, fr;q=0.8", "de"),
        ("ja, fr;q=0.1", "fr"), ("ja", "en"), ("de;q=0, fr;q=0.1", "fr"), ("*", "en"),
        ("en;q=0, *", "ar"), ("ja, *;q=0.1", "en"),
        ("de;q=0", "en"), ("de;q=x", "en"), (";;,=,q", "en"), ("d\x7fe", "en"), ("🦊", "en"), ("../../de", "en"),
    ],
)  # fmt: skip
def test_the_browser_asks_for_a_language(client: FlaskClient, accept: str | None, language: str) -> None:
    assert spoken(client, accept) == language


def test_a_hostile_header_costs_no_time_and_breaks_nothing(client: FlaskClient) -> None:
    hostile = [
        ",".join(f"x{n}-{'y' * 8}" for n in range(600)),
        "de," * 2700,
        ";q=0." + "9" * 8000,
        "-" * 8000,
        "a-" * 4000,
    ]
    client.get(NOWHERE)
    began = thread_time()

    answered = [spoken(client, header) for header in hostile]

    assert answered == ["en", "de", "en", "en", "en"]
    assert thread_time() - began < 1


def test_only_the_beginning_of_a_long_header_is_read(client: FlaskClient) -> None:
    assert spoken(client, "xx," * 90 + "de") == "de"

    assert spoken(client, "xx," * 110 + "de") == "en"


def test_the_choice_in_the_browser_takes_precedence(client: FlaskClient) -> None:
    assert spoken(client, "fr") == "fr"

    assert spoken(client, "fr", f"{NOWHERE}?lang=de") == "de"
    client.set_cookie("language", "ar")
    assert spoken(client, "fr") == "ar"
    assert spoken(client, "fr", f"{NOWHERE}?lang=de") == "de"


@pytest.mark.parametrize("choice", ["", "xx", "de-AT", "DE", "../de", "de\x00", "<script>", "x" * 3000])
def test_an_unknown_choice_is_ignored(client: FlaskClient, choice: str) -> None:
    client.set_cookie("language", choice.replace("\x00", "%00"))

    assert spoken(client, "fr") == "fr"
    response = client.get("/login/", query_string={"lang": choice}, headers={"Accept-Language": "fr"})
    assert response.headers["Content-Language"] == "fr"
    assert "language=" not in response.headers.get("Set-Cookie", "")


def test_the_language_of_the_account_is_used_if_the_request_names_none(user: ApiUser) -> None:
    assert user.get("/userapi/users/1234567/").get_json()["title"] == "Permission denied"
    assert user.patch("/userapi/auth/user/", json={"language": "de"}).get_json()["language"] == "de"

    rejected = user.get("/userapi/users/1234567/")

    assert rejected.get_json()["title"] == "Keine Berechtigung"
    requested = user.get("/userapi/users/1234567/", headers={"Accept-Language": "es"})
    assert requested.get_json()["title"] == "Permiso denegado"


def test_data_does_not_vary_with_the_language(user: ApiUser, staff: ApiUser) -> None:
    requested = {"Accept-Language": "de"}
    responses = [
        user.get("/userapi/auth/user/", headers=requested),
        staff.get("/userapi/users/", headers=requested),
        user.client.get("/.well-known/jwks.json", headers=requested),
        user.client.get("/healthz", headers=requested),
        user.client.post("/api-token-auth/", json={"email": user.email, "password": user.password}, headers=requested),
    ]

    for response in responses:
        assert response.status_code == 200
        assert "Content-Language" not in response.headers
        assert "Accept-Language" not in response.headers.get("Vary", "")
    rejection = user.client.get(NOWHERE, headers=requested)
    assert "Accept-Language" in ", ".join(rejection.headers.getlist("Vary"))


def test_a_new_account_gets_the_language_of_its_request(client: FlaskClient) -> None:
    def opened(accept: str | None, **more: str) -> str | None:
        headers = {"Accept-Language": accept} if accept else {}
        made = client.post("/userapi/users/", json=new_user(**more), headers=headers)
        assert made.status_code == 201, made.text
        language: str | None = made.get_json()["language"]
        return language

    assert opened("de-CH, fr;q=0.5") == "de"
    assert opened(None) is None
    assert opened("ja") is None
    assert opened("de", language="fr") == "fr"


@pytest.mark.parametrize("language", ["xx", "de-AT", "DE", "", 1, ["de"], "d" * 5000])
def test_rejects_an_unavailable_language(user: ApiUser, language: object) -> None:
    assert user.patch("/userapi/auth/user/", json={"language": "ar"}).status_code == 200

    rejected = user.patch("/userapi/auth/user/", json={"language": language})

    assert rejected.status_code == 400
    assert list(rejected.get_json()["errors"]) == ["language"]
    assert user.get("/userapi/auth/user/").get_json()["language"] == "ar"
    assert user.patch("/userapi/auth/user/", json={"language": None}).get_json()["language"] is None


def test_settings_limit_the_languages_and_name_the_default(make_app: Callable[..., Flask]) -> None:
    client = make_app(LANGUAGES="de,fr", DEFAULT_LANGUAGE="fr").test_client()

    assert spoken(client) == "fr"
    assert spoken(client, "de") == "de"
    assert spoken(client, "es, en;q=0.5") == "fr"
    assert client.get("/login/").text.count("hreflang=") == 2
    assert make_app(LANGUAGES="de", DEFAULT_LANGUAGE="de").test_client().get("/login/").text.count("hreflang=") == 0


@pytest.mark.parametrize(("name", "value"), [("LANGUAGES", "de,xx"), ("DEFAULT_LANGUAGE", "xx")])
def test_a_language_without_a_catalogue_stops_the_start(name: str, value: str, key_folder: str) -> None:
    with pytest.raises(config.ConfigurationError, match=f"^{name}: .*de"):
        app_config("sqlite:///none.db", key_folder, **{name: value})


def test_the_default_is_available_once_even_if_not_listed(make_app: Callable[..., Flask]) -> None:
    app = make_app(LANGUAGES="fr,de", DEFAULT_LANGUAGE="de")

    with app.app_context():
        assert list(i18n.get_offered_languages()) == ["de", "fr"]
