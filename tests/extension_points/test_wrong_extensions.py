"""A wrong extension stops the start with one line, and only the setting EXTENSIONS makes the service import code."""

import dataclasses
import io
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click
import flask
import pytest
import shop
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import config
from tests.support import commands
from tests.support.api_client import ApiUser
from tests.support.app_config import app_config
from tests.support.factories import new_user
from tests.support.staff_client import staff_client
from userapi.app import create_app
from userapi.core.environment import ConfigurationError
from userapi.extending import (
    Blueprint,
    Extension,
    PermissionKind,
    RowId,
    Rule,
    StaffView,
    after,
    make_metadata,
    page,
    requires,
    signed_in,
)
from userapi.users import accounts

WRONG = {
    "nowhere:extension": "nowhere:extension: ModuleNotFoundError: No module named 'nowhere'",
    "shop:basket": "shop:basket: AttributeError: module 'shop' has no attribute 'basket'",
    "shop": "shop: Not a module and a name, such as shop.accounts:extension.",
    "shop:HERE": "is not a userapi.extending.Extension.",
    "shop:extension,shop:extension": "extension shop exists twice.",
}


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_extension_stops_the_start(make_app: Callable[..., Flask], value: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        make_app(EXTENSIONS=value)

    assert str(error.value).startswith("EXTENSIONS: ")
    assert WRONG[value] in str(error.value)
    assert "\n" not in str(error.value)


def test_blanks_in_the_setting_do_not_count(make_app: Callable[..., Flask]) -> None:
    app = make_app(EXTENSIONS=" shop:extension , ")

    assert "shop" in app.cli.commands


def test_a_module_that_exits_is_one_line(
    make_app: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exits_at_import.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ConfigurationError, match=r"^EXTENSIONS: exits_at_import:extension: SystemExit: 0$"):
        make_app(EXTENSIONS="exits_at_import:extension")


@pytest.mark.slow
@pytest.mark.parametrize("command", [commands.RUN, (*commands.FLASK, "users", "list")], ids=["server", "command"])
def test_a_wrong_extension_is_one_line_of_every_program(command: tuple[str, ...], tmp_path: Path) -> None:
    env = commands.bare_environment(USERAPI_INSTANCE=str(tmp_path / "instance"), EXTENSIONS="nowhere:extension")
    if command != commands.RUN:
        env |= {"SECRET_KEY": "vK3x-9QmZ_t7Rw2LpY8sUe5HbN4cJ6aG"}

    done = commands.run(*command, env=env, cwd=tmp_path)

    assert done.is_one_line, done
    assert done.errors.startswith("userapi: EXTENSIONS: nowhere:extension: ")
    assert not (tmp_path / "instance").exists()


def new_base() -> type[DeclarativeBase]:
    """A base class for models of another extension."""

    class Base(DeclarativeBase):
        metadata = make_metadata()

    return Base


class Stray(new_base()):  # type: ignore[misc]
    """Another extension's name."""

    __tablename__ = "shop_stray"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)


class Orphan(new_base()):  # type: ignore[misc]
    """A foreign key that does not say what happens to it."""

    __tablename__ = "orphan_rows"

    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id"), primary_key=True)


class Curious(new_base()):  # type: ignore[misc]
    """A foreign key to another table of the service."""

    __tablename__ = "curious_rows"

    session_id: Mapped[str] = mapped_column(sa.ForeignKey("login_sessions.id", ondelete="CASCADE"), primary_key=True)


FOLDER = shop.HERE / "migrations"
EMPTY = shop.HERE / "translations"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Extension("The Shop"), "The name must be 2 to 20 characters"),
        (lambda: Extension("user"), "The name is that of a table of the service, user_"),
        (lambda: Extension("stray", models=Stray.__base__, migrations=EMPTY), "must begin with stray_"),
        (lambda: Extension("orphan", models=Orphan.__base__, migrations=EMPTY), "user_id to users needs ondelete"),
        (lambda: Extension("curious", models=Curious.__base__, migrations=EMPTY), "session_id must lead to users or"),
        (lambda: Extension("bare", migrations=FOLDER), "migrations need models"),
        (
            lambda: Extension("bare", models=new_base(), migrations=FOLDER),
            "shop_0001_baskets.py: Its id must begin",
        ),
        (lambda: Extension("bare", templates=Path("/nowhere")), "The folder /nowhere does not exist."),
        (lambda: Extension("bare", permissions=[PermissionKind("user", "Users")]), "permissions: user: Not a plain"),
        (
            lambda: Extension("bare", permissions=[PermissionKind("hat", "Hats", ("wear",))]),
            "hat: wear: Not one of view",
        ),
    ],
)
def test_an_extension_that_does_not_fit_is_one_line(make: Callable[[], Extension], text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        make()

    assert text in str(error.value)
    assert "\n" not in str(error.value)


def new_blueprint(rule: str, *marks: Callable[..., Any], methods: tuple[str, ...] = ("GET",)) -> flask.Blueprint:
    """A plain blueprint with one view; the marks are below its route."""
    blueprint = flask.Blueprint("hats", __name__)

    def show_hats() -> str:
        return "hats"

    view: Any = show_hats
    for mark in marks:
        view = mark(view)
    blueprint.add_url_rule(rule, "show_hats", view, methods=methods)
    return blueprint


def new_misplaced_blueprint() -> flask.Blueprint:
    """A view whose mark is above its route, where it closes nothing."""
    blueprint = flask.Blueprint("hats", __name__)

    @signed_in
    @blueprint.route("/")
    def show_hats() -> str:
        return "hats"

    return blueprint


def new_api_blueprint() -> Blueprint:
    """An operation with a permission that does not exist."""
    blueprint = Blueprint("hats", __name__)

    @blueprint.get("/hats/")
    @blueprint.requires("view_hat")
    def show_hats() -> dict[str, str]:
        """Show hats."""
        return {}

    return blueprint


class WithoutPermission(StaffView):
    path, menu_title, kind = "hats", "Hats", "hat"

    @page("/", needs="view")
    def show_list(self) -> str:
        return "hats"


@pytest.mark.parametrize(
    "attributes",
    [
        {"subscribers": [("user.created", print)]},
        {"subscribers": print},
        {"subscribers": [after("user.created", partial(print))]},
        {"rules": [("user.create", print)]},
        {"rules": [print]},
        {"rules": Rule("user.create", print)},
        {"rules": [Rule("user.create", "print")]},
        {"blueprints": [flask.Blueprint("hats", __name__)]},
        {"permissions": ["hat"]},
        {"fields": ["vat"]},
        {"staff": [Extension]},
        {"commands": [print]},
        {"claims": 5},
        {"personal_data": "x"},
        {"templates": 5},
        {"templates": "/nowhere"},
    ],
    ids=str,
)
def test_a_wrong_attribute_is_one_line_that_names_it(attributes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as error:
        Extension("hats", **attributes)

    (name,) = attributes
    assert str(error.value).startswith(f"extension hats: {name}: ")
    assert "\n" not in str(error.value)


def test_folders_can_be_texts() -> None:
    assert Extension("hats", templates=str(shop.HERE / "templates")).templates == shop.HERE / "templates"  # type: ignore[arg-type]


def test_a_rule_that_does_not_exist_stops_the_start(app: Flask, key_folder: str) -> None:
    wrong = Extension("wrong", rules=[Rule("user.creat", print)])

    with pytest.raises(ConfigurationError, match=r"^EXTENSIONS: wrong: rule 'user.creat': Not one of "):
        create_app(app_config(app.config["DATABASE_URL"], key_folder), extensions=[wrong])


class WithoutIcon(StaffView):
    path, menu_title, menu_icon = "hats", "Hats", "no-such-icon"


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"commands": [click.Group("users")]}, "There is another command users."),
        ({"blueprints": [(flask.Blueprint("pages", __name__), "/hats")]}, "The name 'pages' is already registered"),
        ({"staff": [WithoutIcon]}, "no-such-icon"),
        ({"commands": [click.Group("routes")]}, "There is another command routes."),
        ({"blueprints": [(new_blueprint("/"), "")]}, "/ is taken by another route."),
        ({"blueprints": [(new_blueprint("/login/"), "")]}, "/login/ is taken by another route."),
        ({"blueprints": [(new_blueprint("/users/<int:x>"), "/userapi")]}, "/userapi/users/<int:x> is taken by"),
        ({"blueprints": [(new_blueprint("/hats/"), "/admin")]}, "/admin/hats/ is on the staff site."),
        ({"blueprints": [(new_blueprint("/x//y/"), "/hats")]}, "/hats/x//y/ has two slashes"),
        ({"blueprints": [(new_misplaced_blueprint(), "/hats")]}, "Put the mark below @blueprint.route"),
        ({"blueprints": [(new_blueprint("/", requires("vieuw_user")), "/hats")]}, "no permission vieuw_user."),
        ({"blueprints": [(new_api_blueprint(), "/userapi")]}, "There is no permission view_hat."),
        ({"staff": [WithoutPermission]}, "There is no permission view_hat."),
        ({"subscribers": [after("user.craeted", print)]}, "action 'user.craeted': Not in docs/events.md."),
    ],
)
def test_what_an_extension_adds_cannot_take_the_place_of_something_else(
    app: Flask, key_folder: str, attributes: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"^EXTENSIONS: hats: ") as error:
        create_app(app_config(app.config["DATABASE_URL"], key_folder), extensions=[Extension("hats", **attributes)])

    assert text in str(error.value)


def test_two_extensions_cannot_have_the_same_permissions(app: Flask, key_folder: str) -> None:
    other = dataclasses.replace(shop.extension, name="kiosk", models=None, migrations=None)

    with pytest.raises(ConfigurationError, match="permissions basket exists twice"):
        create_app(app_config(app.config["DATABASE_URL"], key_folder), extensions=[shop.extension, other])


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of an extension in a module that must not be imported."""
    (tmp_path / "trap_module.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "trap_module:extension"


def test_W30_no_other_setting_makes_the_service_import_a_module(
    make_app: Callable[..., Flask], trap: str, tmp_path: Path
) -> None:
    database, accepted = f"sqlite:///{tmp_path}/none.db", {}
    others = config.list_setting_names() - {"EXTENSIONS", "PROFILE_FIELDS", "ACCESS_TOKEN_CLAIMS", "DATABASE_URL"}
    for name in sorted(others):
        with suppress(ConfigurationError):
            app_config(database, str(tmp_path), **{name: trap})
            accepted[name] = trap
    make_app(**accepted)

    assert {"JWT_AUDIENCE", "MAIL_USERNAME"} <= accepted.keys()
    assert "trap_module" not in sys.modules


def test_W30_a_declaration_of_fields_makes_the_service_import_no_module(
    make_app: Callable[..., Flask], trap: str, tmp_path: Path
) -> None:
    path = tmp_path / "fields.toml"
    path.write_text(f'[profile.company]\ntype = "line"\ncheck = "{trap}"\n')

    with suppress(ConfigurationError):
        make_app(PROFILE_FIELDS=str(path))

    assert "trap_module" not in sys.modules


def test_W30_no_request_or_row_makes_the_service_import_a_module(app: Flask, user: ApiUser, trap: str) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    body = new_user(first_name=trap, extensions=[trap], EXTENSIONS=trap)

    assert app.test_client().post("/userapi/users/", json=body, headers={"X-EXTENSIONS": trap}).status_code == 400
    assert user.patch(user.url, json={"first_name": trap, "username": None}).status_code == 200
    for path in ("/userapi/users/", "/admin/users/", "/", "/login/"):
        superuser.get(path, query_string={"EXTENSIONS": trap, "extension": trap, "search": trap})
    row = {"email": "trap@example.com", "first_name": trap, "extension": trap, "model": trap}
    upload = {"file": (io.BytesIO(json.dumps(row).encode()), "users.jsonl")}
    superuser.client.post("/admin/imports/new/", data={**upload, "csrf_token": superuser.csrf, "on_conflict": "skip"})
    with app.app_context():
        accounts.create(**new_user(last_name=trap, profile=None))

    assert "trap_module" not in sys.modules


def test_without_an_extension_nothing_of_the_public_surface_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys, userapi.settings, userapi.app\n"
        "userapi.app.create_app(userapi.settings.load())\n"
        "print([name for name in sys.modules if name.startswith('userapi.extending')])\n"
    )

    done = commands.run(
        sys.executable, "-c", program, env=commands.environment(f"sqlite:///{tmp_path}/none.db", tmp_path)
    )

    assert (done.code, done.output) == (0, "[]\n"), done
