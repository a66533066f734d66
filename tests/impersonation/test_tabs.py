"""Tabs that stay open while an impersonation ends or another one begins, second clicks, and copied cookies."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.email_delivery import clock_mover
from tests.support.email_inbox import emails_to
from tests.support.impersonation import (
    REASON,
    RunningImpersonation,
    actions,
    make_support,
    own_id,
    sessions,
    start,
    start_page,
    stop,
)
from tests.support.race import run_simultaneously
from tests.support.staff_client import ACCEPT_HTML, staff_client


def test_W70_a_tab_that_is_still_open_stops_nothing_and_leads_to_the_own_account(
    running: RunningImpersonation,
) -> None:
    form = {"csrf_token": re.findall('name="csrf_token" value="([^"]+)', running.support.get("/account/").text)[0]}
    stop(running.support)

    response = running.support.client.post("/impersonation/stop/", data=form)

    assert (response.status_code, response.headers.get("Location")) == (303, "/account/")
    start(running.support, running.user.id)
    assert running.support.client.post("/impersonation/stop/", data=form).status_code == 403
    assert own_id(running.support) == running.user.id


@pytest.mark.both
def test_W70_two_clicks_on_the_button_begin_one(app: Flask) -> None:
    support, user = make_support(app), staff_client(app)
    form = {**support.form(start_page(user.id)), "reason": REASON, "csrf_token": support.csrf}
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in support.client._cookies.values())

    def click() -> TestResponse:
        client = app.test_client(use_cookies=False)
        return client.post(start_page(user.id), data=form, headers={**ACCEPT_HTML, "Cookie": cookies})

    responses = run_simultaneously([click, click])

    assert [response.headers.get("Location") for response in responses] == ["/account/"] * 2
    assert all("access_token=" in str(response.headers.getlist("Set-Cookie")) for response in responses)
    assert [event.action for event in actions(app)] == ["impersonation.started"]
    assert len(sessions(app)) == len(emails_to(app, user.email, "impersonation")) == 1


@pytest.mark.both
def test_W70_a_copy_of_the_cookie_that_leads_back_is_no_way_in(
    running: RunningImpersonation, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief, copied = running.app.test_client(), running.support.client.get_cookie("own_session")
    assert copied is not None
    stop(running.support)
    clock_mover(monkeypatch)(timedelta(seconds=11))

    thief.set_cookie("own_session", copied.value)
    response = thief.get("/admin/", headers=ACCEPT_HTML)

    assert "/login/" in response.headers["Location"]
    assert thief.get_cookie("access_token") is None
    assert own_id(running.support) == running.support.id


def test_W70_going_back_ends_what_still_runs(running: RunningImpersonation) -> None:
    running.support.client.delete_cookie("access_token")

    assert running.support.get("/account/").headers["Location"] == "/admin/"

    (ended,) = actions(running.app, "impersonation.ended")
    assert (ended.actor_id, ended.impersonator_id) == (running.support.id, running.support.id)
    assert sessions(running.app)[0].ended_at is not None
