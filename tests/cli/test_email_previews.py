"""`flask mail preview`: what each kind of email looks like."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

import userapi
from tests.support import email_inbox
from userapi.mail.samples import SENDERS

TEMPLATES = Path(userapi.__file__).parent / "templates" / "mail"


def test_every_kind_of_email_has_a_preview() -> None:
    assert {path.stem for path in TEMPLATES.glob("*.txt")} - {"layout"} == set(SENDERS)


@pytest.mark.parametrize("kind", SENDERS)
def test_a_preview_shows_both_parts_and_stores_nothing(app: Flask, kind: str) -> None:
    runner = app.test_cli_runner()

    text, html = runner.invoke(args=["mail", "preview", kind]), runner.invoke(args=["mail", "preview", kind, "--html"])

    assert (text.exit_code, html.exit_code) == (0, 0), text.output
    assert text.output.startswith("Subject: ")
    assert "accounts.example.com" in text.output
    assert html.output.startswith("<!doctype html>")
    assert email_inbox.all_emails(app) == []


def test_a_preview_is_in_the_requested_language_with_the_deployers_templates(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    (tmp_path / "verify_email.txt").write_text("Ahoy {{ name }}, {{ language() }} {{ site }} {{ link }}")
    app = make_app(MAIL_TEMPLATES=str(tmp_path), SITE_NAME="Example Shop", FRONTEND_URL="https://shop.example.com")

    output = app.test_cli_runner().invoke(args=["mail", "preview", "verify_email", "--language", "de"]).output

    assert "Ahoy Ada, de Example Shop https://shop.example.com/verify-email/sample/" in output


@pytest.mark.parametrize("arguments", [["newsletter"], ["reset_password", "--language", "tlh"], []])
def test_what_cannot_be_shown_is_named(app: Flask, arguments: list[str]) -> None:
    result = app.test_cli_runner().invoke(args=["mail", "preview", *arguments])

    assert result.exit_code == 2
    assert "Error: " in result.output
