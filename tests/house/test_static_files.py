"""Static files and pages on the wire: cached by version, compressed where that is safe."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import userapi
from tests.support.api_client import ApiUser
from tests.support.form_browser import BROWSER_HEADERS
from userapi.http.assets import get_asset_url

FOLDER = Path(userapi.__file__).parent / "static"
YEAR, HOUR = "public, max-age=31536000, immutable", "public, max-age=3600"
GZIP = {"Accept-Encoding": "gzip, deflate, br, zstd"}

#: Of Flask-Admin.
ADMIN_CSS = "/admin/static/bootstrap/bootstrap4/css/bootstrap.min.css"


def our_files() -> list[str]:
    return [str(path.relative_to(FOLDER)) for path in sorted(FOLDER.rglob("*")) if path.is_file()]


def large_text_files() -> list[str]:
    suffixes = (".css", ".js", ".svg", ".html")
    return [name for name in our_files() if name.endswith(suffixes) and (FOLDER / name).stat().st_size >= 1024]


def urls(app: Flask) -> dict[str, str]:
    with app.test_request_context():
        return {name: get_asset_url(name) for name in our_files()}


def test_every_file_is_kept_for_a_year_by_its_current_version_only(app: Flask) -> None:
    client = app.test_client()

    for name, url in urls(app).items():
        plain = url.partition("?")[0]
        for path, expected in ((url, YEAR), (plain, HOUR), (f"{plain}?v=0123456789abcdef", HOUR)):
            for headers in ({}, GZIP):
                with client.get(path, headers=headers) as response:
                    assert response.status_code == 200, name
                    assert response.headers["Cache-Control"] == expected, (name, path)
                    assert "Set-Cookie" not in response.headers


def test_every_large_text_file_is_sent_compressed_to_those_who_accept_it(app: Flask) -> None:
    client = app.test_client()

    assert len(large_text_files()) > 5
    for name in large_text_files():
        plain, packed = client.get(f"/static/{name}"), client.get(f"/static/{name}", headers=GZIP)

        content = (FOLDER / name).read_bytes()
        assert plain.data == content, name
        assert gzip.decompress(packed.data) == content, name
        assert packed.headers["Content-Encoding"] == "gzip"
        assert int(packed.headers["Content-Length"]) == len(packed.data) < len(content)
        assert "Content-Encoding" not in plain.headers
        assert plain.headers["Content-Type"] == packed.headers["Content-Type"]
        assert plain.headers["ETag"] != packed.headers["ETag"]
        assert not packed.headers["ETag"].startswith("W/")
        for response in (plain, packed):
            assert "Accept-Encoding" in response.headers["Vary"]
            response.close()


def test_the_files_of_flask_admin_are_treated_the_same(app: Flask) -> None:
    client = app.test_client()
    with client.get(ADMIN_CSS) as plain:
        version = plain.headers["ETag"].strip('"')

    packed = client.get(f"{ADMIN_CSS}?v={version}", headers=GZIP)

    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Cache-Control"] == YEAR
    assert client.get(f"{ADMIN_CSS}?v=4.6.2", headers=GZIP).headers["Cache-Control"] == HOUR


STYLE = "/static/vendor/swagger-ui/swagger-ui.css"


def get(client: FlaskClient, method: str = "GET", **headers: str) -> TestResponse:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.open(STYLE, method=method, headers=fields, buffered=True)


def test_a_head_request_gets_the_headers_of_the_compressed_file(client: FlaskClient) -> None:
    full, head = get(client, Accept_Encoding="gzip"), get(client, "HEAD", Accept_Encoding="gzip")

    assert head.data == b""
    for name in ("Content-Length", "Content-Encoding", "Content-Type", "ETag", "Vary", "Last-Modified"):
        assert head.headers[name] == full.headers[name], name


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_file_that_the_browser_has_is_not_sent_again(client: FlaskClient, encoding: str) -> None:
    full = get(client, Accept_Encoding=encoding)

    for condition in ({"If_None_Match": full.headers["ETag"]}, {"If_Modified_Since": full.headers["Last-Modified"]}):
        again = get(client, Accept_Encoding=encoding, **condition)
        assert (again.status_code, again.data) == (304, b""), condition
        assert again.headers["ETag"] == full.headers["ETag"]
        assert "Accept-Encoding" in again.headers["Vary"]
        assert "Content-Encoding" not in again.headers

    other = {"gzip": "identity", "identity": "gzip"}[encoding]
    assert get(client, Accept_Encoding=other, If_None_Match=full.headers["ETag"]).status_code == 200


def test_a_part_of_a_file_is_sent_as_it_is(client: FlaskClient) -> None:
    whole = get(client).data

    part = get(client, Accept_Encoding="gzip", Range="bytes=10-19")

    assert (part.status_code, part.data) == (206, whole[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    assert "Content-Encoding" not in part.headers
    assert get(client, Range=f"bytes={len(whole)}-").status_code == 416


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br", "gzip;q=0, *", "*;q=0", "\x7f;;q=,"])
def test_callers_that_do_not_accept_gzip_get_the_file_as_it_is(client: FlaskClient, accepted: str) -> None:
    assert "Content-Encoding" not in get(client, Accept_Encoding=accepted).headers


@pytest.mark.parametrize("accepted", ["gzip", "GZIP", "br;q=1, gzip;q=0.2", "*", "deflate, *;q=0.1"])
def test_callers_that_accept_gzip_get_it(client: FlaskClient, accepted: str) -> None:
    assert get(client, Accept_Encoding=accepted).headers["Content-Encoding"] == "gzip"


def test_a_changed_file_is_sent_with_its_new_content(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    app = make_app()
    app.static_folder = str(tmp_path)
    from userapi.http import assets

    assets.serve_files(app)
    for content in (b"a" * 2000, b"b" * 2001):
        (tmp_path / "a.css").write_bytes(content)
        assert gzip.decompress(app.test_client().get("/static/a.css", headers=GZIP).data) == content


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/vendor", "/static/", "/static/a%00b.css", "/static/no"])
def test_what_is_not_a_file_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers=GZIP).status_code == 404


PAGE = {**BROWSER_HEADERS, **GZIP}


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_page_is_compressed_for_requests_that_no_other_site_can_cause(client: FlaskClient, site: str) -> None:
    plain = client.get("/register/", headers=BROWSER_HEADERS)

    packed = client.get("/register/", headers={**PAGE, "Sec-Fetch-Site": site})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    assert b"</html>" in gzip.decompress(packed.data)
    assert "Sec-Fetch-Site" in ", ".join(packed.headers.getlist("Vary"))


@pytest.mark.parametrize("site", ["cross-site", "same-site", None, ""])
def test_a_page_is_not_compressed_if_another_site_may_have_caused_the_request(
    client: FlaskClient, site: str | None
) -> None:
    mark = {} if site is None else {"Sec-Fetch-Site": site}

    assert "Content-Encoding" not in client.get("/register/", headers={**PAGE, **mark}).headers


def test_data_is_never_compressed(user: ApiUser) -> None:
    response = user.get(user.url, headers={**GZIP, "Sec-Fetch-Site": "same-origin", "Accept": "application/json"})

    assert "Content-Encoding" not in response.headers
