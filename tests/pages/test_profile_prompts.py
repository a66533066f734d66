"""Users are prompted for missing fields of their profile, once a session, after a sign-in on a page."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, PROFILE, make_user
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.staff_client import sign_in_with_cookies

Declare = Callable[..., Flask]

ME, ACCOUNT, COMPLETE = "/userapi/auth/user/", "/account/", "/account/complete/"
BUILT_IN = "".join(f"[profile.{name}]\n" for name in PROFILE)
ASK = f'{BUILT_IN}[profile.company]\ntype = "line"\nrequired = "ask"\n'
NEW = f'{BUILT_IN}[profile.company]\ntype = "line"\nrequired = "new"\n'


def api_user(app: Flask, **overrides: Any) -> ApiUser:
    email = f"prompted{overrides.pop('number', 1)}@example.com"
    return ApiUser(app.test_client(), make_user(app, email=email, **overrides), email, PASSWORD, sign_in(app, email))


def test_W12_a_sign_in_leads_to_what_is_missing_once_and_then_on(declare: Declare) -> None:
    app = declare(ASK)
    user, browser = api_user(app), FormBrowser(app)

    prompted = browser.send("/login/?next=/account/devices/", {"email": user.email, "password": PASSWORD})
    page = browser.follow(prompted)

    assert prompted.headers["Location"] == f"{COMPLETE}?next=/account/devices/"
    assert 'href="/account/devices/">Skip for now' in page.text
    assert browser.get("/account/devices/").status_code == 200
    assert f'<a href="{COMPLETE}">' in browser.get(ACCOUNT).text
    saved = browser.send(COMPLETE, {"profile.company": "Okafor", "next": "/account/devices/"})
    assert saved.headers["Location"] == "/account/devices/"
    assert user.get(ME).get_json()["profile"]["company"] == "Okafor"
    assert COMPLETE not in browser.get(ACCOUNT).text
    assert FormBrowser(app).sign_in(user.email).headers["Location"] == ACCOUNT


def test_W12_the_api_names_what_is_missing_and_closes_nothing(declare: Declare) -> None:
    app = declare(ASK)
    user = api_user(app)

    before = user.get(ME).get_json()
    sent_back = user.put(ME, json=before | {"profile": before["profile"] | {"company": "Okafor"}})

    assert before["missing"] == ["company"]
    assert user.get("/userapi/auth/sessions/").status_code == 200
    assert sent_back.status_code == 200, sent_back.text
    assert user.get(ME).get_json()["missing"] == []
    assert "missing" in app.test_client().get("/openapi.json").get_json()["components"]["schemas"]["User"]["properties"]


def test_W12_superusers_without_a_profile_are_not_prompted(declare: Declare) -> None:
    app = declare(ASK)
    email = api_user(app, is_staff=True, is_superuser=True, profile=None).email

    assert FormBrowser(app).sign_in(email).headers["Location"] == ACCOUNT


@pytest.mark.parametrize("declaration", [NEW, ASK], ids=["new", "ask"])
def test_W12_the_form_of_the_account_demands_it_and_patch_of_other_fields_does_not(
    declare: Declare, declaration: str
) -> None:
    app = declare(declaration)
    user = api_user(app)
    browser = sign_in_with_cookies(app, user.id)
    form = {f"profile.{name}": text for name, text in PROFILE.items()} | {"profile.company": ""}

    patched = user.patch(ME, json={"profile": {"city": "Leeds"}})
    rejected = browser.post(ACCOUNT, **form)
    accepted = browser.post(ACCOUNT, **form | {"profile.company": "Okafor"})

    assert patched.status_code == 200
    assert (rejected.status_code, 'id="profile-company-error"' in rejected.text) == (400, True)
    assert accepted.status_code == 303
    removed = user.patch(ME, json={"profile": {"company": None}})
    assert (removed.status_code, list(removed.get_json()["errors"]["profile"])) == (400, ["company"])


def test_W12_an_unchecked_flag_is_an_answer_too(declare: Declare) -> None:
    app = declare(
        f'{BUILT_IN}[profile.newsletter]\ntype = "flag"\nrequired = "ask"\n'
        '[profile.topics]\ntype = "choices"\noptions = ["news", "tips"]\nrequired = "ask"\n'
    )
    user = api_user(app)
    browser = sign_in_with_cookies(app, user.id)
    form = browser.form(COMPLETE)

    rejected = browser.post(COMPLETE, **form)
    saved = browser.post(COMPLETE, **form, **{"profile.topics": ["news", "tips"]})

    assert (rejected.status_code, 'id="profile-topics-error"' in rejected.text) == (400, True)
    assert saved.status_code == 303, saved.text
    profile = user.get(ME).get_json()["profile"]
    assert (profile["newsletter"], profile["topics"]) == (False, ["news", "tips"])


def test_W03_what_was_typed_outlives_the_session(declare: Declare) -> None:
    app = declare(f'{BUILT_IN}[profile.topics]\ntype = "choices"\noptions = ["news", "tips", "jobs"]\n')
    user = api_user(app)
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    page = browser.get(ACCOUNT)
    user.delete("/userapi/auth/sessions/")
    hidden = {name: hidden_value(page, name) for name in ("csrf_token", "form_id", "checkboxes")}
    typed: dict[str, Any] = {"profile.city": "Leeds", "profile.topics": ["news", "jobs"]}
    ended = browser.client.post(ACCOUNT, data=hidden | typed, headers={"Accept": "text/html"})
    shown = browser.follow(browser.send(ended.headers["Location"], {"email": user.email, "password": PASSWORD}))

    assert 'value="Leeds"' in shown.text
    assert [f'value="{each}" checked' in shown.text for each in ("news", "tips", "jobs")] == [True, False, True]
