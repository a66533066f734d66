"""SITE_NAME, SITE_LOGO, SITE_COLOR and SUPPORT_EMAIL: what is rejected, and what the doctor says about them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

import config
from tests.support.app_config import SECRET_KEY
from tests.support.images import PNG, SVG, WEBP

TOO_LARGE = SVG + b" " * (256 * 1024)
BOMB = b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaa">]>' + SVG.replace(b"<rect", b"<text>&a;</text><rect")


def error_of(**values: str) -> str:
    with pytest.raises(config.ConfigurationError) as caught:
        config.load({"SECRET_KEY": SECRET_KEY, **values})
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SITE_COLOR", "teal", "Not a color such as #0f766e."),
        ("SITE_COLOR", "#ffff", "Not a color such as #0f766e."),
        ("SITE_COLOR", "#0f766e;}", "Not a color such as #0f766e."),
        ("SITE_NAME", "a" * 61, "Must have at most 60 characters."),
        ("SITE_NAME", "Shop\u202egnp", "Must not contain control characters."),
        ("SUPPORT_EMAIL", "help", "Not an email address such as"),
        ("SUPPORT_EMAIL", "Help <help@example.com>", "Not an email address such as"),
        ("SITE_LOGO", "/nowhere/logo.svg", "Cannot read /nowhere/logo.svg: No such file or directory."),
        ("SITE_LOGO", "/", "Cannot read /: Is a directory."),
    ],
)
def test_an_invalid_value_stops_the_start_and_is_named(name: str, value: str, reason: str) -> None:
    error = error_of(**{name: value})

    assert error.startswith(f"{name}: {reason}")
    assert "\n" not in error


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"GIF89a", "is not an SVG, PNG or WebP image."),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'/>", "is not an SVG, PNG or WebP image."),
        (SVG[:-4], "is not an SVG, PNG or WebP image."),
        (BOMB, "is not an SVG, PNG or WebP image."),
        (BOMB.decode().encode("utf-16"), "is not an SVG, PNG or WebP image."),
        (b'<?xml version="1.0" encoding="nonsense"?>' + SVG, "is not an SVG, PNG or WebP image."),
        (b"", "is not an SVG, PNG or WebP image."),
        (TOO_LARGE, "is larger than 256 kB. Use a smaller image."),
    ],
)
def test_a_file_that_is_no_logo_stops_the_start(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(content)

    assert error_of(SITE_LOGO=str(path)) == f"SITE_LOGO: {path} {reason}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_SVG_without_entities_is_accepted_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "logo.svg"
    doctype = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    path.write_bytes((doctype + SVG.decode()).encode(encoding))

    assert config.load({"SECRET_KEY": SECRET_KEY, "SITE_LOGO": str(path)})["SITE_LOGO"] == str(path)


@pytest.mark.parametrize(("color", "meant"), [("#FFF", "#ffffff"), ("#0a7", "#00aa77"), ("#0a7b3C", "#0a7b3c")])
def test_a_color_may_have_three_digits(color: str, meant: str) -> None:
    assert config.load({"SECRET_KEY": SECRET_KEY, "SITE_COLOR": color})["SITE_COLOR"] == meant


def test_several_spellings_of_name_color_and_email_are_accepted() -> None:
    settings = config.load(
        {
            "SECRET_KEY": SECRET_KEY,
            "SITE_NAME": "Our  Shop",
            "SITE_COLOR": "#ABCDEF",
            "SUPPORT_EMAIL": "help@bücher.example",
        }
    )

    assert settings["SITE_NAME"] == "Our Shop"
    assert settings["SITE_COLOR"] == "#abcdef"
    assert settings["SUPPORT_EMAIL"] == "help@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (SVG, "SITE_LOGO is shown on pages, not in emails: a PNG is shown in both (image/svg+xml, 1 kB)"),
        (WEBP, "SITE_LOGO is shown on pages, not in emails: a PNG is shown in both (image/webp, 1 kB)"),
        (PNG, "SITE_LOGO is shown on pages and in emails (image/png, 1 kB)"),
    ],
)
def test_the_doctor_says_where_the_logo_is_shown_and_which_colors_are_used(
    make_app: Callable[..., Flask], tmp_path: Path, content: bytes, line: str
) -> None:
    path = tmp_path / "logo"
    path.write_bytes(content)

    output = make_app(SITE_LOGO=str(path), SITE_COLOR="#facc15").test_cli_runner().invoke(args=["doctor"]).output

    assert line in output
    assert "SITE_COLOR is #facc15: text on it is #111827, links are #826a0b on light and #facc15 on dark" in output
