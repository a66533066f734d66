"""Texts of the API are in the language of the caller; identifiers stay the same."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import PROFILE, new_user
from userapi.cli import openapi
from userapi.security import throttling

LANGUAGES = ("de", "fr", "es", "ar")


def accept_language(language: str) -> dict[str, str]:
    return {"Accept-Language": language}


def texts(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [text for found in tree.values() for text in texts(found)]
    return [text for found in tree for text in texts(found)] if isinstance(tree, list) else [str(tree)]


BAD = {
    "email": "invalid@", "password": "1", "profile": PROFILE | {"dob": "3000-01-01", "zip": "123456", "city": " "},
    "planet": "Mars", "username": "a\x00b",
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_of_a_rejected_registration_is_translated(client: FlaskClient, language: str) -> None:
    english = client.post("/userapi/users/", json=BAD).get_json()

    rejected = client.post("/userapi/users/", json=BAD, headers=accept_language(language))

    problem = rejected.get_json()
    assert rejected.headers["Content-Language"] == language
    assert (problem["code"], problem["status"], problem["type"]) == ("validation_failed", 400, "about:blank")
    assert problem["errors"].keys() == english["errors"].keys()
    assert problem["errors"]["profile"].keys() == english["errors"]["profile"].keys()
    assert len(texts(english["errors"])) >= 6
    assert not {problem["title"], problem["detail"], *texts(problem["errors"])} & {
        english["title"], english["detail"], *texts(english["errors"]),
    }  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reasons_against_a_password_are_translated(client: FlaskClient, language: str) -> None:
    weak = new_user(password="12345")
    english = client.post("/userapi/users/", json=weak).get_json()

    problem = client.post("/userapi/users/", json=weak, headers=accept_language(language)).get_json()

    assert problem["code"] == english["code"] == "weak_password"
    assert len(problem["errors"]["password"]) == len(english["errors"]["password"]) >= 3
    assert not set(problem["errors"]["password"]) & set(english["errors"]["password"])


def test_german_texts_read_well(client: FlaskClient) -> None:
    problem = client.post("/userapi/users/", json=BAD, headers=accept_language("de")).get_json()

    assert problem["title"] == "Prüfung fehlgeschlagen"
    assert problem["detail"] == "Einige Felder sind ungültig. Siehe errors."
    assert problem["errors"]["profile"]["zip"] == ["Länger als die Höchstlänge 5."]
    assert problem["errors"]["profile"]["dob"] == ["Darf nicht in der Zukunft liegen."]
    assert problem["errors"]["email"] == ["Keine gültige E-Mail-Adresse. Nach dem @-Zeichen muss etwas stehen."]
    assert problem["errors"]["planet"] == ["Unbekanntes Feld."]


def test_a_reason_without_a_translation_is_left_out(client: FlaskClient) -> None:
    odd = new_user(email="a b@example.com")
    (english,) = client.post("/userapi/users/", json=odd).get_json()["errors"]["email"]
    assert english.startswith("Not a valid email address. The email address contains")

    (german,) = client.post("/userapi/users/", json=odd, headers=accept_language("de")).get_json()["errors"]["email"]

    assert german == "Keine gültige E-Mail-Adresse."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/userapi/auth/user/", "not_authenticated"),
        ("/userapi/nothing/", "not_found"),
        ("/api-token-auth/", "method_not_allowed"),
    ],
)
def test_problems_of_all_kinds_are_translated(client: FlaskClient, path: str, code: str, language: str) -> None:
    english, rejected = client.get(path).get_json(), client.get(path, headers=accept_language(language)).get_json()

    assert rejected["code"] == english["code"] == code
    assert rejected["title"] != english["title"]
    assert rejected["detail"] != english["detail"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_confirmations_are_translated(client: FlaskClient, language: str) -> None:
    requested = {"email": "unknown@example.com"}
    english = client.post("/userapi/auth/password/reset/", json=requested)

    response = client.post("/userapi/auth/password/reset/", json=requested, headers=accept_language(language))

    assert response.status_code == english.status_code == 200
    assert response.headers["Content-Language"] == language
    assert response.get_json()["detail"] != english.get_json()["detail"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_headers_are_ASCII_and_english(client: FlaskClient, language: str) -> None:
    rejected = client.get("/userapi/auth/user/", headers={"Authorization": "Bearer x.y.z", **accept_language(language)})

    assert rejected.headers["WWW-Authenticate"].endswith('error="invalid_token", error_description="Invalid token"')
    assert rejected.get_json()["title"] != "Invalid token"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "بعد ثانية واحدة."), (2, "بعد ثانيتين."), (5, "بعد 5 ثوانٍ."),
        (11, "بعد 11 ثانية."), (100, "بعد 100 ثانية."),
    ],
)  # fmt: skip
def test_arabic_has_six_plural_forms(app: Flask, monkeypatch: pytest.MonkeyPatch, seconds: int, said: str) -> None:
    app.config["RATELIMIT_ENABLED"] = True
    monkeypatch.setattr(throttling.Throttles, "add", lambda *_arguments, **_options: (10**6, None))
    monkeypatch.setattr(throttling.Throttles, "seconds_left", lambda *_arguments: seconds)

    response = app.test_client().post(
        "/api-token-auth/", json={"email": "a@example.com", "password": "x"}, headers=accept_language("ar")
    )

    assert response.status_code == 429
    assert response.get_json()["detail"].endswith(said)


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [("en", "in 1 second.", "in 7 seconds."), ("de", "in einer Sekunde erneut.", "in 7 Sekunden erneut."),
     ("fr", "dans une seconde.", "dans 7 secondes."), ("es", "en un segundo.", "en 7 segundos.")],
)  # fmt: skip
def test_the_other_languages_have_two_plural_forms(
    app: Flask, monkeypatch: pytest.MonkeyPatch, language: str, one: str, many: str
) -> None:
    app.config["RATELIMIT_ENABLED"] = True
    monkeypatch.setattr(throttling.Throttles, "add", lambda *_arguments, **_options: (10**6, None))
    said = []
    for seconds in (1, 7):
        monkeypatch.setattr(throttling.Throttles, "seconds_left", lambda *_arguments, seconds=seconds: seconds)
        response = app.test_client().post(
            "/api-token-auth/", json={"email": "a@example.com", "password": "x"}, headers=accept_language(language)
        )
        said.append(response.get_json()["detail"])

    assert said[0].endswith(one)
    assert said[1].endswith(many)


def test_the_API_document_is_always_in_english(app: Flask, client: FlaskClient) -> None:
    served = client.get("/openapi.json", headers=accept_language("ar"))

    assert served.get_json() == client.get("/openapi.json").get_json()
    english = openapi.text(app)
    with app.test_request_context(headers=accept_language("ar")):
        assert openapi.text(app) == english


def test_a_query_may_name_the_language_with_other_parameters(staff: ApiUser) -> None:
    assert staff.get("/userapi/users/?limit=1").status_code == 200

    assert staff.get("/userapi/users/?limit=1&lang=de").status_code == 200
    rejected = staff.get("/userapi/users/?limit=0&lang=de").get_json()
    assert rejected["errors"]["limit"] == ["Muss mindestens 1 und höchstens 200 sein."]
