"""`/docs/`: the reference has every operation, needs no script, and is stored by browsers of visitors."""

import html
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from tests.support.api_client import ApiUser
from tests.support.factories import make_user
from tests.support.form_browser import FormBrowser
from tests.support.openapi import documented_operations
from userapi.browse import markdown


class Reference(HTMLParser):
    """The parts of the page: anchors, links, and the code in each operation."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.code: dict[str, list[str]] = {}
        self.text: dict[str, str] = {}
        self._here = ""
        self._in_code = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "a":
            self.links.append(named["href"])
        if tag in ("article", "section") and "id" in named:
            self._here = named["id"]
        if tag == "pre":
            self._in_code = True
            self.code.setdefault(self._here, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._in_code = False

    def handle_data(self, data: str) -> None:
        self.text[self._here] = self.text.get(self._here, "") + data
        if self._in_code:
            self.code[self._here][-1] += data


def read_reference(client: FlaskClient) -> Reference:
    response = client.get("/docs/", headers={"Accept": "text/html"})
    assert response.status_code == 200
    return Reference(response.text)


def anchor(operation: dict[str, Any]) -> str:
    """The id of an operation on the page, and its fragment in Swagger UI."""
    return f"/{operation['tags'][0]}/{operation['operationId']}"


def test_every_operation_is_in_the_reference_with_its_parameters_fields_and_errors(
    app: Flask, client: FlaskClient
) -> None:
    page = read_reference(client)
    operations = documented_operations(app)

    assert len(operations) > 25
    for method, path, operation in operations:
        text = page.text[anchor(operation)]
        assert f"#{anchor(operation)}" in page.links
        assert f"/docs/try/#{anchor(operation)}" in page.links
        assert (method in text, path in text, operation["summary"] in text) == (True, True, True), path
        for parameter in operation.get("parameters", []):
            assert parameter["name"] in text, (path, parameter["name"])
        for status, response in operation["responses"].items():
            for content in response["content"].values() if status[0] in "45" else ():
                for code in content["examples"]:
                    assert code in text, (path, code)


def test_a_row_tells_the_type_the_limits_and_whether_a_field_is_required(client: FlaskClient) -> None:
    text = read_reference(client).text["/users/create_user"]

    rows = re.sub(r"\s+", " ", text)
    assert "password required string (password)8 to 128 characters" in rows
    assert "profile.city required stringup to 50 characters" in rows
    assert "language string or null" in rows
    assert "en, ar, de, es, fr" in rows


def test_every_link_in_the_reference_leads_somewhere(client: FlaskClient) -> None:
    page = read_reference(client)

    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_examples_of_responses_are_those_of_the_document(app: Flask, client: FlaskClient) -> None:
    page = read_reference(client)
    for _method, path, operation in documented_operations(app):
        shown = [json.loads(code) for code in page.code[anchor(operation)] if code.startswith("{")]
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                examples = [content["example"]] if "example" in content else []
                for example in [*examples, *(part["value"] for part in content.get("examples", {}).values())]:
                    assert example in shown, (path, status)


def test_a_browser_keeps_the_reference_and_its_scripts_still_run(client: FlaskClient) -> None:
    first = client.get("/docs/")
    again = client.get("/docs/", headers={"If-None-Match": first.headers["ETag"]})
    other = client.get("/docs/", headers={"If-None-Match": 'W/"0123.none"'})

    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (again.status_code, again.data, other.status_code) == (304, b"", 200)
    assert again.headers["ETag"] == first.headers["ETag"]
    (nonce,) = re.findall(r"script-src 'nonce-([\w-]+)'", first.headers["Content-Security-Policy"])
    assert f"'nonce-{nonce}'" in again.headers["Content-Security-Policy"]
    assert f'nonce="{nonce}"' in first.text
    assert nonce not in other.text


def test_a_forged_tag_never_chooses_the_nonce(client: FlaskClient) -> None:
    content = client.get("/docs/").headers["ETag"].removeprefix('W/"').partition(".")[0]

    for forged in ("", "x' 'unsafe-inline", "A" * 23, "A" * 21 + "é"):
        response = client.get("/docs/", headers={"If-None-Match": f'W/"{content}.{forged}"'.encode().decode("latin-1")})
        assert response.status_code == 200, forged
        assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_a_page_that_names_its_reader_is_not_stored(app: Flask) -> None:
    make_user(app, email="wren@example.com")
    browser = FormBrowser(app)
    browser.sign_in("wren@example.com")

    response = browser.get("/docs/")

    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers
    assert 'href="/account/"' in response.text


def test_another_language_is_another_page(client: FlaskClient) -> None:
    english = client.get("/docs/", headers={"Accept-Language": "en"})
    german = client.get("/docs/", headers={"Accept-Language": "de", "If-None-Match": english.headers["ETag"]})

    assert german.status_code == 200
    assert '<html lang="de"' in german.text


def test_the_reference_is_there_without_the_browsable_API(make_app: Any) -> None:
    text = make_app(BROWSABLE_API="false").test_client().get("/docs/").text

    assert "/docs/try/#/users/create_user" in text
    assert 'href="/userapi/' not in text


def test_a_text_of_the_document_cannot_add_elements_or_scripts() -> None:
    inline = markdown.render_inline

    assert inline("`a<b` *c* **d** [e](/f/) \\<g> <script>") == (
        '<code>a&lt;b</code> <em>c</em> <strong>d</strong> <a href="/f/">e</a> &lt;g&gt; &lt;script&gt;'
    )
    for url in ("javascript:alert(1)", "//elsewhere.example", "data:text/html,x"):
        assert "<a" not in inline(f"[x]({url})")
    assert inline('[x](/"onclick=")') == '<a href="/&#34;onclick=&#34;">x</a>'
    assert markdown.render_blocks("One\ntwo.\n\n- a\n- `b`") == (
        "<p>One\ntwo.</p>\n<ul><li>a</li><li><code>b</code></li></ul>"
    )


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    """The URL of the application, served over HTTP."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run_sample(code: str, app: Flask, url: str, user: ApiUser) -> Any:
    """Run a curl sample against the running service. Returns the response."""
    command = code.replace(app.config["SITE_URL"], url).replace("/7/", f"/{user.id}/")
    environment = {"PATH": "/usr/bin:/bin", "ACCESS_TOKEN": user.tokens["access_token"]}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_curl_samples_work(app: Flask, client: FlaskClient, url: str, user: ApiUser) -> None:
    samples = {name: code[0] for name, code in read_reference(client).code.items()}

    made = run_sample(samples["/users/create_user"], app, url, user)
    signed_in = run_sample(samples["/tokens/obtain_tokens"], app, url, user)
    read = run_sample(samples["/users/read_user"], app, url, user)
    edited = run_sample(samples["/auth/edit_me"], app, url, user)
    rejected = run_sample(samples["/auth/verify_email"], app, url, user)

    assert made["email"] == "wren@example.com"
    assert signed_in["token_type"] == "Bearer"
    assert read["id"] == user.id
    assert edited["id"] == user.id
    assert rejected["code"] == "invalid_link"


def test_the_Python_samples_are_Python(client: FlaskClient) -> None:
    samples = [code for found in read_reference(client).code.values() for code in found if "import requests" in code]

    assert len(samples) > 25
    for sample in samples:
        compile(sample, "sample", "exec")


def test_a_page_of_the_API_links_to_its_operation_and_names_each_header_once(app: Flask) -> None:
    make_user(app, email="wren@example.com")
    browser = FormBrowser(app)
    browser.sign_in("wren@example.com")

    page = browser.get("/userapi/auth/user/").text

    assert 'href="/docs/#/auth/read_me"' in page
    assert page.count("<dt>Vary</dt>") == 1


def test_a_page_of_the_API_offers_its_request_as_a_curl_command(
    app: Flask, url: str, staff: ApiUser, user: ApiUser
) -> None:
    browser = FormBrowser(app)
    browser.sign_in(staff.email)

    response = browser.get(
        f"/userapi/users/?search={user.email.partition('@')[0]}&ordering=-email&country=C%C3%B4te%20d'Ivoire"
    )
    everyone = browser.get(f"/userapi/users/?search={user.email.partition('@')[0]}")

    assert "country=C%C3%B4te%20d" in curl_command(response.text)
    found = run_sample(curl_command(response.text), app, url, staff)
    assert found["results"] == []
    assert [item["id"] for item in run_sample(curl_command(everyone.text), app, url, staff)["results"]] == [user.id]


def curl_command(page: str) -> str:
    (command,) = re.findall(r'<pre class="code" id="curl" dir="ltr">(.*?)</pre>', page, re.DOTALL)
    return html.unescape(command)
