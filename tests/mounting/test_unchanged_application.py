"""An application that shares names with the service behaves the same after it has mounted the service."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import organisations
import prometheus_client
import pytest
from flask import Flask, g, jsonify, render_template, request, session
from flask_babel import Babel, gettext
from flask_jwt_extended import JWTManager, create_access_token, jwt_required
from flask_sqlalchemy import SQLAlchemy
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, Unauthorized

from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD, make_user
from userapi.extending import Extension
from userapi.mounting import find_user, get_user, include_name, mount, requires, signed_in
from userapi.settings import ConfigurationError

MountIn = Callable[..., Flask]


def hats_at(path: str) -> Extension:
    """An extension with a page at a path."""
    blueprint = flask.Blueprint("hats", __name__)
    blueprint.add_url_rule(path, "show", lambda **_hat: "hats")
    return Extension("hats", blueprints=[(blueprint, "")])


def make_host(folder: Path) -> Flask:
    """An application with paths, templates, hooks, extensions and settings named like those of the service."""
    (folder / "templates" / "pages").mkdir(parents=True)
    (folder / "static" / "ui").mkdir(parents=True)
    (folder / "static" / "ui" / "ui.css").write_text("p { color: red }")
    for name in ("base.html", "login.html", "pages/login.html", "pages/problem.html"):
        (folder / "templates" / name).write_text(f"host's {name} {{{{ site }}}} {{{{ language }}}}")
    host = Flask("host", root_path=str(folder))
    host.config.update(
        SECRET_KEY="the host's", JWT_SECRET_KEY="x" * 32, SITE_NAME="Host", MAX_CONTENT_LENGTH=64,
        SQLALCHEMY_DATABASE_URI="sqlite://",
    )  # fmt: skip
    SQLAlchemy(host)
    Babel(host, default_locale="de")
    JWTManager(host)
    host.before_request(lambda: setattr(g, "seen", request.path))
    host.after_request(lambda response: (response.headers.set("X-Host", g.seen), response)[1])
    host.context_processor(lambda: {"site": "host", "language": "de"})
    host.register_error_handler(HTTPException, lambda error: (f"host's {error.code}", error.code or 500))
    host.register_error_handler(ValidationError, lambda error: ("host's validation", 422))
    host.add_url_rule("/", view_func=lambda: gettext("Save"), endpoint="home")
    host.add_url_rule("/login/", view_func=lambda: render_template("login.html"), endpoint="login")
    host.add_url_rule("/own", view_func=lambda: render_template("pages/login.html"), endpoint="own")
    host.add_url_rule("/json", view_func=lambda: jsonify(b=1, a="é"), endpoint="json")
    host.add_url_rule("/form", view_func=lambda: dict(request.form), methods=["POST"], endpoint="form")
    host.add_url_rule("/invalid", view_func=_fail, endpoint="invalid")
    host.add_url_rule("/visits", view_func=_count_visits, endpoint="visits")
    host.add_url_rule("/token", view_func=lambda: create_access_token("7"), endpoint="token")
    host.add_url_rule("/jwt", view_func=jwt_required()(lambda: "host's token"), endpoint="jwt")
    return host


def _fail() -> str:
    raise ValidationError("wrong")


def _count_visits() -> str:
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


def responses_of(host: Flask) -> list[Any]:
    """What the paths of the application return, in order."""
    client = host.test_client()
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/", {}), ("GET", "/login/", {}), ("GET", "/own", {}), ("GET", "/json", {}), ("GET", "/invalid", {}),
        ("GET", "/visits", {}), ("GET", "/visits", {}), ("GET", "/nowhere/", {}), ("GET", "/?a=%E9", {}),
        ("PUT", "/json", {}), ("POST", "/form", {"data": {"a": "1"}}), ("POST", "/form", {"data": {"a": "1" * 99}}),
        ("GET", "/static/ui/ui.css", {}), ("GET", "/jwt", {}), ("GET", "/admin/", {}), ("GET", "/healthz", {}),
        ("GET", "//userapi/users/", {}), ("GET", "/userapix/", {}),
    ]  # fmt: skip
    found = []
    for method, path, options in requests:
        with client.open(path, method=method, **options) as response:
            found.append((path, response.status, sorted(response.headers), response.data))
    token = client.get("/token").text
    found.append(client.get("/jwt", headers={"Authorization": f"Bearer {token}"}).data)
    return [without_times(item) for item in found]


def without_times(item: Any) -> Any:
    """A response without headers that change by themselves."""
    if isinstance(item, bytes):
        return item
    path, status, headers, body = item
    return path, status, [(name, value) for name, value in headers if name not in ("Date", "Set-Cookie")], body


def state_of(host: Flask) -> list[Any]:
    """What belongs to the application, or to the whole process, and not to the service."""
    root = logging.getLogger()
    return [
        dict(host.config), sorted(set(host.extensions) - {"userapi"}), sorted(map(str, host.url_map.iter_rules())),
        host.before_request_funcs, host.after_request_funcs, host.teardown_request_funcs, host.error_handler_spec,
        host.session_interface, host.json, host.request_class, host.response_class, dict(host.jinja_env.globals),
        dict(host.jinja_env.filters), host.jinja_loader, root.level, list(root.handlers),
        prometheus_client.metrics._use_created, prometheus_client.values.ValueClass, sorted(host.blueprints),
    ]  # fmt: skip


def test_nothing_of_the_application_changes(mount_in: MountIn, tmp_path: Path) -> None:
    host = make_host(tmp_path)
    responses, state = responses_of(host), state_of(host)
    mount_in(host, is_migrated=False)
    host.test_client().get("/userapi/")

    assert responses_of(host) == responses
    assert state_of(host) == state


def test_requests_below_the_paths_of_the_service_do_not_enter_the_application(
    mount_in: MountIn, tmp_path: Path
) -> None:
    host = make_host(tmp_path)
    host.before_request(lambda: flask.abort(418))
    service = mount_in(host)
    make_user(service, email="ada@example.com")

    tokens = sign_in(host, "ada@example.com")
    client = host.test_client()
    own = client.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    missing = client.get("/userapi/nowhere/", headers={"Accept": "text/html"})

    assert own.get_json()["email"] == "ada@example.com"
    assert (missing.status_code, missing.mimetype) == (404, "application/problem+json")
    assert client.get("/").status_code == 418


def test_parts_at_paths_of_the_application_are_not_mounted(mount_in: MountIn, tmp_path: Path) -> None:
    host = make_host(tmp_path)

    with pytest.raises(ConfigurationError, match=r"routes of its own at paths of the mounted service: /login/\. "):
        mount_in(host, parts=("api", "pages"))

    assert host.test_client().get("/login/").data.startswith(b"host's login.html")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"parts": ["staff site"]}, "The staff site needs the pages"),
        ({"parts": ["apis"]}, "'apis' is not a valid Part: Use api, pages"),
        ({"extensions": [hats_at("/<path:hat>")]}, "routes such as /<path:"),
        ({"extensions": [hats_at("/<hat>/show/")]}, "routes such as /<hat>"),
        ({"extensions": [hats_at("/")]}, "hats: "),
    ],
)
def test_what_cannot_be_mounted_is_one_line(mount_in: MountIn, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        mount_in(Flask("host"), **options)

    assert text in str(error.value)
    assert "\n" not in str(error.value)


def add_directly(host: Flask, path: str) -> None:
    host.add_url_rule(path, "late", view_func=lambda: "late")


def add_by_blueprint(host: Flask, path: str) -> None:
    blueprint = flask.Blueprint("late", __name__)
    blueprint.add_url_rule(path, view_func=lambda: "late", endpoint="late")
    host.register_blueprint(blueprint)


@pytest.mark.parametrize("add", [add_directly, add_by_blueprint])
def test_a_route_that_is_added_later_is_checked_too(mount_in: MountIn, add: Callable[[Flask, str], None]) -> None:
    host = Flask("host")
    mount_in(host, is_migrated=False)

    with pytest.raises(ConfigurationError, match=r"paths of the mounted service: /userapi/late/\. "):
        add(host, "/userapi/late/")


@pytest.mark.parametrize("add", [add_directly, add_by_blueprint])
def test_a_route_can_be_added_later(mount_in: MountIn, add: Callable[[Flask, str], None]) -> None:
    host = Flask("host")
    mount_in(host, is_migrated=False)

    add(host, "/late/")

    assert host.test_client().get("/late/").text == "late"


def test_a_view_that_is_added_later_cannot_require_an_unknown_permission(mount_in: MountIn) -> None:
    host = Flask("host")
    mount_in(host, is_migrated=False)

    with pytest.raises(ConfigurationError, match="The view hats requires vieuw_user, which is not a permission"):
        host.add_url_rule("/hats", view_func=requires("vieuw_user")(lambda: "hats"), endpoint="hats")


def test_a_view_cannot_require_a_permission_that_does_not_exist(mount_in: MountIn) -> None:
    host = Flask("host")
    host.add_url_rule("/hats", view_func=requires("vieuw_user")(lambda: "hats"), endpoint="hats")

    with pytest.raises(ConfigurationError, match="The view hats requires vieuw_user, which is not a permission"):
        mount_in(host)


def test_the_service_is_mounted_once_with_loaded_settings(mount_in: MountIn) -> None:
    host = Flask("host")
    with pytest.raises(ConfigurationError, match=r"those that userapi\.settings\.load returns"):
        mount(host, {"SECRET_KEY": "x"})
    mount_in(host, is_migrated=False)

    with pytest.raises(ConfigurationError, match="has mounted the service already"):
        mount_in(host, is_migrated=False)


def test_the_service_can_be_mounted_in_a_context_of_the_application(mount_in: MountIn, tmp_path: Path) -> None:
    host = make_host(tmp_path)
    with host.app_context():
        mount_in(host, is_migrated=False, parts="api")

    assert host.test_client().get("/userapi/").status_code == 200


def test_the_staff_site_has_its_own_paths(mount_in: MountIn, tmp_path: Path) -> None:
    host = Flask("host", root_path=str(tmp_path))
    service = mount_in(host, parts=("api", "pages", "staff site", "docs"))
    make_user(service, email="ada@example.com", is_staff=True, is_superuser=True)
    browser = host.test_client()

    page = browser.get("/admin/", headers={"Accept": "text/html"}, follow_redirects=True)

    assert page.status_code == 200, page.text
    assert '"/userapi/static/ui/ui.css?v=' in page.text
    with browser.get("/userapi/static/ui/ui.css") as css:
        assert css.mimetype == "text/css"
    assert browser.get("/").status_code == 404


def test_extensions_are_mounted_with_the_service(mount_in: MountIn, tmp_path: Path) -> None:
    host = make_host(tmp_path)
    service = mount_in(host, extensions=[organisations.extension])
    make_user(service, email="ada@example.com")
    authorization = {"Authorization": f"Bearer {sign_in(host, 'ada@example.com')['access_token']}"}

    made = host.test_client().post("/userapi/organisations/", json={"name": "Example Ltd"}, headers=authorization)

    assert made.status_code == 201, made.text
    with host.app_context():
        assert not include_name("organisations_memberships", "table", {})
        assert include_name("organisation", "table", {})


@pytest.fixture
def guarded(mount_in: MountIn, tmp_path: Path) -> tuple[Flask, Flask]:
    """An application with protected views, and the service in it."""
    host = make_host(tmp_path)
    host.add_url_rule("/mine", view_func=signed_in(lambda: get_user().email), methods=["GET", "POST"], endpoint="mine")
    host.add_url_rule("/staff", view_func=requires("view_user")(lambda: get_user().email), endpoint="staff")
    host.add_url_rule("/open", view_func=lambda: [find_user(), request.headers.get("Authorization")], endpoint="open")
    host.register_error_handler(Unauthorized, lambda error: ({"code": error.problem["code"]}, 401))
    return host, mount_in(host)


@pytest.mark.parametrize(
    ("credentials", "code"),
    [({}, "not_authenticated"), ({"Authorization": "Bearer a.b.c"}, "token_invalid")],
)
def test_a_protected_view_gives_errors_to_the_handlers_of_the_application(
    guarded: tuple[Flask, Flask], credentials: dict[str, str], code: str
) -> None:
    response = guarded[0].test_client().get("/mine", headers={"Accept": "text/html", **credentials})

    assert (response.status_code, response.get_json()) == (401, {"code": code})
    assert response.headers["X-Host"] == "/mine"


def test_a_protected_view_takes_bearer_tokens_without_a_csrf_value(guarded: tuple[Flask, Flask]) -> None:
    host, service = guarded
    make_user(service, email="ada@example.com")
    tokens = sign_in(host, "ada@example.com", PASSWORD)
    authorization = {"Authorization": f"bearer {tokens['access_token']}"}

    assert host.test_client().post("/mine", headers=authorization).text == "ada@example.com"
    assert host.test_client().get("/staff", headers=authorization).data == b"host's 403"


def test_a_view_for_staff_is_open_to_staff_with_the_permission(guarded: tuple[Flask, Flask]) -> None:
    host, service = guarded
    make_user(service, email="grace@example.com", is_staff=True, is_superuser=True)
    tokens = sign_in(host, "grace@example.com", PASSWORD)

    response = host.test_client().get("/staff", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert response.text == "grace@example.com"


def test_other_credentials_of_the_application_are_left_to_it(guarded: tuple[Flask, Flask]) -> None:
    response = guarded[0].test_client().get("/open", headers={"Authorization": "Basic YTpi"})

    assert response.get_json() == [None, "Basic YTpi"]
