"""The second step of a sign-in on the pages, without scripts (decision 0050)."""

import re
from datetime import timedelta

import pytest
from flask import Flask

from tests.pages.test_prove_page import FOREIGN_PATHS
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.proofs import submit_shown_form
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_imports import move_clock
from tests.support.two_steps import Owner, make_owner

PAGE = "/login/second-step/"
SESSIONS = "SELECT count(*) FROM login_sessions"


@pytest.fixture
def owner(app: Flask) -> Owner:
    return make_owner(app)


@pytest.fixture
def visitor(owner: Owner) -> FormBrowser:
    """A browser that has done the first step."""
    browser = FormBrowser(owner.app)
    assert browser.sign_in(owner.email).headers["Location"] == PAGE
    return browser


def test_S03_the_first_step_signs_no_one_in(owner: Owner, visitor: FormBrowser) -> None:
    cookie = visitor.cookie("second_step", PAGE)

    assert fetch_number(owner.app, SESSIONS) == 0
    assert visitor.cookie("access_token") is None
    assert (cookie.http_only, cookie.same_site, cookie.max_age) == (True, "Lax", 600)
    assert visitor.get("/account/").headers["Location"] == "/login/?next=/account/"
    assert "Confirm your sign-in" in visitor.get(PAGE).text


def test_the_code_signs_in_and_leads_to_the_page_that_was_requested(owner: Owner) -> None:
    visitor = FormBrowser(owner.app)
    response = visitor.sign_in(owner.email, next="/account/activity/?cursor=a%2Fb")
    page = visitor.follow(response)

    done = submit_shown_form(visitor.client, page, code=owner.phone.code())

    assert done.headers["Location"] == "/account/activity/?cursor=a%2Fb"
    assert visitor.cookie("second_step", PAGE) is None
    assert owner.email in visitor.get("/account/").text
    assert [row.amr for row in fetch_rows(owner.app, "SELECT amr FROM login_sessions")] == ["pwd otp mfa"]


def test_a_sign_in_that_another_tab_has_finished_leads_to_the_sign_in_page(owner: Owner, visitor: FormBrowser) -> None:
    page = visitor.get(PAGE)
    submit_shown_form(visitor.client, page, code=owner.phone.code())

    late = submit_shown_form(visitor.client, page, code=owner.phone.wrong_code())
    alone = submit_shown_form(FormBrowser(owner.app).client, page, code=owner.phone.wrong_code())

    assert [late.status_code, alone.status_code] == [303, 303]
    assert {late.headers["Location"], alone.headers["Location"]} <= {"/login/", "/account/"}


def test_a_wrong_code_shows_the_form_again_without_it(owner: Owner, visitor: FormBrowser) -> None:
    wrong = owner.phone.wrong_code()

    page = submit_shown_form(visitor.client, visitor.get(PAGE), code=wrong)

    assert page.status_code == 401
    assert "This code is not valid." in page.text
    assert wrong not in page.text
    assert submit_shown_form(visitor.client, page, code=owner.phone.code()).status_code == 303


def test_a_missing_code_is_named(owner: Owner, visitor: FormBrowser) -> None:
    page = submit_shown_form(visitor.client, visitor.get(PAGE), code="")

    assert page.status_code == 400
    assert 'href="#code"' in page.text


def test_opening_the_page_again_uses_nothing_up(owner: Owner, visitor: FormBrowser) -> None:
    pages = [visitor.get(PAGE) for _n in range(3)]

    assert [page.status_code for page in pages] == [200] * 3
    assert submit_shown_form(visitor.client, pages[0], code=owner.phone.code()).status_code == 303


def test_a_recovery_code_has_a_page_of_its_own(owner: Owner) -> None:
    visitor = FormBrowser(owner.app)
    page = visitor.follow(visitor.sign_in(owner.email, next="/account/data/"))
    (link,) = re.findall(r'href="(/login/second-step/\?recovery[^"]*)"', page.text)

    other = visitor.get(link.replace("&amp;", "&"))
    done = submit_shown_form(visitor.client, other, code=owner.recovery_codes[0].upper())

    assert 'name="remember_device"' in page.text
    assert 'name="remember_device"' not in other.text
    assert done.headers["Location"] == "/account/data/"


def test_a_device_is_remembered_only_if_its_user_wants_it(owner: Owner, visitor: FormBrowser) -> None:
    submit_shown_form(visitor.client, visitor.get(PAGE), code=owner.phone.code())
    assert visitor.cookie("device") is None
    visitor.send("/logout/")
    page = visitor.follow(visitor.sign_in(owner.email))
    submit_shown_form(visitor.client, page, code=owner.phone.code(1), remember_device="true")

    signed_out = visitor.send("/logout/")
    again = visitor.sign_in(owner.email)

    assert signed_out.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert visitor.cookie("device") is not None
    assert again.headers["Location"] == "/account/"
    assert FormBrowser(owner.app).sign_in(owner.email).headers["Location"] == PAGE


def test_signing_out_deletes_every_cookie_but_that_of_the_device(owner: Owner, visitor: FormBrowser) -> None:
    page = visitor.get(PAGE)
    submit_shown_form(visitor.client, page, code=owner.phone.code(), remember_device="true")
    visitor.client.set_cookie("theme", "dark")

    visitor.send("/logout/")

    assert {cookie.key for cookie in visitor.client._cookies.values()} - {"visitor"} == {"device"}


def test_S65_a_sign_in_that_has_expired_begins_again(
    owner: Owner, visitor: FormBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visitor.get(PAGE)
    move_clock(monkeypatch, timedelta(minutes=11))

    sent = submit_shown_form(visitor.client, page, code=owner.phone.code())
    visitor.client.set_cookie("second_step", "x", path=PAGE)
    opened = visitor.get(f"{PAGE}?next=/account/data/")

    assert sent.headers["Location"] == "/login/"
    assert opened.headers["Location"] == "/login/?next=/account/data/"
    assert "This sign-in has expired" in visitor.follow(opened).text


def test_the_page_without_a_first_step_leads_to_the_sign_in(app: Flask) -> None:
    assert FormBrowser(app).get(PAGE).headers["Location"] == "/login/"


def test_S66_a_code_sent_from_another_site_signs_no_one_in(owner: Owner, visitor: FormBrowser) -> None:
    token = visitor.cookie("second_step", PAGE).value
    victim = FormBrowser(owner.app)
    victim.client.set_cookie("second_step", token, path=PAGE)
    form = {"mfa_token": token, "code": owner.phone.code(), "cookies": "true"}

    page = victim.post(PAGE, {"code": owner.phone.code(), "csrf_token": hidden_value(visitor.get(PAGE))})
    api = victim.client.post(
        "/userapi/auth/login/second-step/", data=form, headers={"Sec-Fetch-Site": "cross-site", "Accept": "*/*"}
    )

    assert (page.status_code, api.status_code) == (403, 403)
    assert victim.cookie("access_token") is None
    assert fetch_number(owner.app, SESSIONS) == 0


@pytest.mark.parametrize("path", FOREIGN_PATHS)
def test_S67_the_second_step_leads_to_pages_of_this_site_only(owner: Owner, path: str) -> None:
    visitor = FormBrowser(owner.app)
    page = visitor.follow(visitor.sign_in(owner.email, next=path))

    shown = visitor.get(PAGE, query_string={"next": path})
    done = submit_shown_form(visitor.client, page, code=owner.phone.code(), next=path)

    assert hidden_value(page, "next") == hidden_value(shown, "next") == ""
    assert done.headers["Location"] == "/account/"


def test_locked_codes_are_explained(owner: Owner, visitor: FormBrowser) -> None:
    execute_sql(owner.app, "UPDATE second_factors SET failures = 100")

    page = submit_shown_form(visitor.client, visitor.get(PAGE), code=owner.phone.code())

    assert page.status_code == 403
    assert "Reset your password" in page.text


def test_S69_a_proof_on_the_page_requires_a_code_where_the_second_step_is_on(
    owner: Owner, visitor: FormBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_shown_form(visitor.client, visitor.get(PAGE), code=owner.phone.code(), remember_device="true")
    visitor.send("/logout/")
    assert visitor.sign_in(owner.email).headers["Location"] == "/account/"

    question = visitor.send("/account/data/")

    assert question.status_code == 403
    assert 'name="code"' in question.text
    assert 'name="password"' not in question.text
    by_password = submit_shown_form(visitor.client, question, password="velvet tram outside 7")
    assert "Confirm that it is you" in by_password.text
    proved = submit_shown_form(visitor.client, question, code=owner.phone.code(1))
    assert submit_shown_form(visitor.client, proved).mimetype == "application/json"
