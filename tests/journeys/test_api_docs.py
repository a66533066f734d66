"""The interactive documentation in a real browser."""

import json
import threading
from collections.abc import Iterator

import pytest
from conftest import Person
from flask import Flask
from playwright.sync_api import Browser, expect
from watching import Watched
from werkzeug.serving import make_server


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """The address of the application, served over HTTP."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def watched(chromium: Browser, site: str) -> Iterator[Watched]:
    """A fresh page whose faults are noted."""
    context = chromium.new_context()
    yield Watched(context.new_page(), site)
    context.close()


def test_H02_the_docs_show_every_operation_under_our_policy_and_load_nothing_from_elsewhere(
    app: Flask, watched: Watched, site: str
) -> None:
    document = app.test_client().get("/openapi.json").get_json()
    operations = sum(len(item.keys() - {"parameters"}) for item in document["paths"].values())

    answer = watched.page.goto(f"{site}/docs/")

    expect(watched.page.locator(".opblock")).to_have_count(operations)
    assert answer is not None
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert watched.complaints == []
    assert watched.elsewhere == []


def test_the_policy_would_show_a_script_that_is_not_ours(watched: Watched, site: str) -> None:
    watched.page.goto(f"{site}/docs/")
    expect(watched.page.locator(".opblock").first).to_be_visible()

    watched.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    watched.page.wait_for_timeout(200)

    assert watched.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in watched.complaints)


def test_a_reader_signs_in_and_tries_calls(watched: Watched, site: str, user: Person) -> None:
    page = watched.page
    page.goto(f"{site}/docs/")
    signing_in = page.locator("#operations-tokens-obtain_tokens")
    signing_in.locator(".opblock-summary-control").click()
    signing_in.locator("textarea").fill(json.dumps({"email": user.email, "password": user.password}))
    signing_in.get_by_role("button", name="Execute").click()
    answered = signing_in.locator(".live-responses-table .highlight-code").first
    expect(answered).to_contain_text("access_token")
    token = json.loads(answered.locator("code").inner_text())["access_token"]
    page.get_by_role("button", name="Authorize").first.click()
    page.get_by_label("auth-bearer-value").fill(token)
    page.get_by_role("button", name="Apply credentials").first.click()
    page.get_by_role("button", name="Close").first.click()

    reading = page.locator("#operations-users-read_user")
    reading.locator(".opblock-summary-control").click()
    reading.get_by_placeholder("user_id").fill(str(user.id))
    reading.get_by_role("button", name="Execute").click()

    expect(reading.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    expect(reading.locator(".live-responses-table .highlight-code").first).to_contain_text(user.email)
    assert watched.complaints == []
    assert watched.elsewhere == []
