"""The site's logo, colours and support address on pages."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template

from tests.support.form_browser import FormBrowser
from tests.support.images import PNG, SVG, WEBP
from userapi.core import colors
from userapi.core.site import DARK_SURFACES, LIGHT_SURFACES, Site


def logo_file(folder: Path, content: bytes) -> str:
    (folder / "logo").write_bytes(content)
    return str(folder / "logo")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(SVG, "image/svg+xml; charset=utf-8"), (PNG, "image/png"), (WEBP, "image/webp")],
)
def test_the_logo_is_served_as_an_image_and_kept_for_a_year(
    make_app: Callable[..., Flask], tmp_path: Path, content: bytes, media_type: str
) -> None:
    app = make_app(SITE_LOGO=logo_file(tmp_path, content))
    url = app.extensions["userapi-site"].logo_url
    client = app.test_client()

    response = client.get(url)

    assert response.data == content
    assert response.headers["Content-Type"] == media_type
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get("/site-logo?v=0").headers["Cache-Control"] == "public, max-age=3600"
    assert client.get(url, headers={"If-None-Match": response.headers["ETag"]}).status_code == 304


def test_a_logo_that_is_opened_by_itself_cannot_run_scripts(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    logo = logo_file(tmp_path, SVG.replace(b"<rect", b"<script>alert(1)</script><rect"))

    response = make_app(SITE_LOGO=logo).test_client().get("/site-logo")

    policy = response.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "sandbox"} <= set(policy)
    assert not any(directive.startswith("script-src") for directive in policy)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_web_mail_may_show_the_logo_and_without_a_logo_there_is_no_page_for_it(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    with_logo = make_app(SITE_LOGO=logo_file(tmp_path, PNG)).test_client().get("/site-logo")

    assert with_logo.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert make_app().test_client().get("/site-logo").status_code == 404


def test_a_page_has_a_style_element_only_if_the_color_is_set(make_app: Callable[..., Flask]) -> None:
    def theme(app: Flask) -> str:
        with app.test_request_context():
            return render_template("ui/theme.html").strip()

    assert theme(make_app()) == ""
    style = theme(make_app(SITE_COLOR="#facc15"))
    assert style.startswith('<style nonce="')
    assert ":root{--ui-primary:light-dark(#facc15,#facc15);--ui-primary-text:light-dark(#111827,#111827);" in style
    assert "&" not in style


def all_kinds_of_colors() -> list[str]:
    some = random.Random(7)
    edges = ["", "#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#ffff00", "#777777", "#767676"]
    return [*edges, *(f"#{some.randrange(0x1000000):06x}" for _ in range(500))]


def test_text_and_borders_are_readable_whatever_the_color() -> None:
    for color in all_kinds_of_colors():
        site = Site("", None, color, "", "http://accounts.example.com")
        for palette, surfaces in ((site.light, LIGHT_SURFACES), (site.dark, DARK_SURFACES)):
            assert colors.contrast(palette.primary_text, palette.primary) >= 4.5, color
            assert colors.contrast(palette.primary_text, palette.primary_hover) >= 4.5, color
            for surface in surfaces:
                assert colors.contrast(palette.link, surface) >= 4.5, color
                assert colors.contrast(palette.focus, surface) >= 3, color
        assert site.light.primary == site.color


def broken(app: Flask, monkeypatch: pytest.MonkeyPatch) -> FormBrowser:
    def fail(**_values: Any) -> None:
        raise RuntimeError

    fail.open_to_visitors = True  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "pages.show_front", fail)
    return FormBrowser(app)


def test_an_error_page_says_where_to_get_help(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(SUPPORT_EMAIL="help@example.com")
    browser = broken(app, monkeypatch)
    link = '<a href="mailto:help@example.com">help@example.com</a>'

    failed, missing, expired = (browser.get(path) for path in ("/", "/nothing/", "/undo-email-change/0123456789/"))

    assert f"If this keeps happening, write to {link} and give them this request ID:" in failed.text
    assert failed.headers["X-Request-ID"] in failed.text
    for page in (missing, expired):
        assert f"Need help? Write to {link}." in page.text


def test_an_error_page_without_a_support_address_names_none(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = broken(app, monkeypatch)

    assert "contact support and give them this request ID" in browser.get("/").text
    assert "mailto:" not in browser.get("/nothing/").text


def test_the_openapi_document_has_the_name_of_the_site(make_app: Callable[..., Flask]) -> None:
    def title(**settings: str) -> str:
        return str(make_app(**settings).test_client().get("/openapi.json").get_json()["info"]["title"])

    assert title(SITE_NAME="Example Shop") == "Example Shop"
    assert title() == "User accounts"
