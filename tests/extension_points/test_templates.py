"""Templates of the deployer replace those of the service, and doctor says which may be out of date."""

from collections.abc import Callable
from pathlib import Path

import pytest
import shop
import sqlalchemy as sa
from flask import Flask

from tests.support.staff_client import ACCEPT_HTML
from userapi.core.db import db
from userapi.health import extensions

FRONT = "pages/front.html"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of templates."""
    for name in ("pages", "mail", "admin"):
        (tmp_path / name).mkdir()
    return tmp_path


def warnings(app: Flask) -> list[str]:
    with app.app_context():
        return [found.text for found in extensions.check() if found.level == "warning"]


def test_the_templates_of_the_deployer_come_first(folder: Path, make_app: Callable[..., Flask]) -> None:
    (folder / FRONT).write_text("front of the deployer")
    (folder / "mail/test_email.txt").write_text("email of the deployer")
    app = make_app(TEMPLATES=str(folder))

    assert app.test_client().get("/", headers=ACCEPT_HTML).text == "front of the deployer"
    assert app.jinja_env.get_template("mail/test_email.txt").render() == "email of the deployer"
    assert app.test_client().get("/login/", headers=ACCEPT_HTML).status_code == 200


def test_the_older_setting_for_emails_is_still_read(tmp_path: Path, make_app: Callable[..., Flask]) -> None:
    (tmp_path / "test_email.txt").write_text("email of the deployer")
    app = make_app(MAIL_TEMPLATES=str(tmp_path))

    assert app.jinja_env.get_template("mail/test_email.txt").render() == "email of the deployer"
    assert "replaces mail/test_email.txt" in warnings(app)[0]


def test_a_template_that_replaces_a_changed_one_is_reported(folder: Path, make_app: Callable[..., Flask]) -> None:
    app = make_app(TEMPLATES=str(folder))
    shown = app.test_cli_runner().invoke(args=["templates", "show", FRONT]).output
    unknown = app.test_cli_runner().invoke(args=["templates", "show", "../settings.py"])

    (folder / "pages/new.html").write_text("no template of the service has this name")
    (folder / FRONT).write_text(shown)
    current = warnings(app)
    (folder / FRONT).write_text("{# userapi: pages/front.html 00000000 #}\n")
    changed = warnings(app)
    (folder / FRONT).write_text("without a mark")
    unmarked = warnings(app)

    assert current == []
    mark = shown.partition("\n")[0]
    assert f"{folder / FRONT} replaces pages/front.html of the service, which has changed since" in changed[0]
    assert changed[0].endswith(mark)
    assert "which may have changed" in unmarked[0]
    assert unknown.exit_code == 1
    assert "There is no template" in unknown.output


def test_a_shown_template_renders_like_the_original(folder: Path, make_app: Callable[..., Flask]) -> None:
    plain = make_app()
    for name in (FRONT, "mail/test_email.txt"):
        (folder / name).write_text(plain.test_cli_runner().invoke(args=["templates", "show", name]).output)
    own = make_app(TEMPLATES=str(folder))

    pages = [app.test_client().get("/", headers=ACCEPT_HTML).text for app in (plain, own)]
    emails = [app.test_cli_runner().invoke(args=["mail", "preview", "test_email"]).output for app in (plain, own)]

    contents = [page.partition("<main")[2].partition("</main>")[0] for page in pages]
    assert contents[0] == contents[1] != ""
    assert emails[0] == emails[1]


def test_doctor_reports_templates_that_cannot_be_rendered(folder: Path, make_app: Callable[..., Flask]) -> None:
    (folder / "pages/login.html").write_text("\n{% if %}")
    (folder / "mail/hats.txt").write_text("{{ hats | fold }}")
    (folder / "pages/new.html").write_text("{% extends 'base.html' %}{% trans %}Hats{% endtrans %}")
    app = make_app(TEMPLATES=str(folder))

    with app.app_context():
        found = [finding.text for finding in extensions.check() if finding.level == "error"]

    assert found == [
        f"{folder}/mail/hats.txt cannot be rendered: line 1: No filter named 'fold'.",
        f"{folder}/pages/login.html cannot be rendered: line 2: Expected an expression, got 'end of statement block'",
    ]


def test_doctor_reports_permissions_that_the_database_lacks(app: Flask) -> None:
    def errors() -> list[str]:
        return [finding.text for finding in extensions.check() if finding.level == "error"]

    with app.app_context():
        before = errors()
        db.session.execute(sa.text("DELETE FROM permissions WHERE code = 'view_basket'"))
        missing = errors()
        db.session.rollback()

    assert before == []
    assert len(missing) == 1
    assert missing[0].startswith("The permissions view_basket are not in the database")


def test_doctor_lists_the_public_views_of_an_extension(app: Flask) -> None:
    with app.app_context():
        found = [finding.text for finding in extensions.check() if finding.part == "extensions"]

    assert found == ["shop is installed. Anyone may open /shop/."]
    assert str(shop.HERE) not in found[0]
