"""Mounts the service in another Flask application: the same process, the same database, its own paths.

The service stays an application of its own (decision 0080), so neither changes settings, templates, hooks, error
handlers or extensions of the other. This module and `userapi.settings.load` are public; see
`docs/guides/mount-in-your-app.md`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import Context
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import orjson
from flask import Flask, current_app, g, request
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized, default_exceptions
from werkzeug.routing import Rule

from userapi.app import create_app
from userapi.auth import authentication, caller
from userapi.cli.mounted import MountedCommands
from userapi.core import migrations
from userapi.core.db import Model
from userapi.extending import Extension
from userapi.extending.users import User, to_user
from userapi.http.bodies import FORM_TYPES
from userapi.http.errors import DATABASE_ERRORS
from userapi.http.openapi import Access
from userapi.security import key_folder
from userapi.settings import ConfigurationError
from userapi.users import permission_names, search_index
from userapi.users.models import User as UserRow

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

View = TypeVar("View", bound=Callable[..., Any])

#: Where Alembic stores our version, because the other application has its own in `alembic_version`.
VERSION_TABLE = "userapi_version"

#: Where our static files are: `/static` is usually that of the other application.
STATIC_PATH = "/userapi/static"

#: The table of accounts, for foreign keys of the other application: `ForeignKey(users.c.id, ondelete="CASCADE")`.
users: Any = UserRow.__table__

#: What checking credentials may raise.
ERRORS = (*authentication.TOKEN_ERRORS, *DATABASE_ERRORS, key_folder.KeyFolderError)

#: The key of the service among the extensions of the other application.
MOUNTED = "userapi"

#: The attribute of a view of the other application with the permission that it requires.
PERMISSION = "permission_of_userapi"

#: The key of the signed-in user in `g` of the other application.
FOUND = "_userapi_user"


class Part(StrEnum):
    """What is mounted: each part has its own paths."""

    API = "api"
    PAGES = "pages"
    STAFF_SITE = "staff site"
    DOCS = "docs"
    MONITORING = "monitoring"


#: The blueprints of parts other than the API.
PART_OF_BLUEPRINT = {
    "pages": Part.PAGES,
    "passkey_discovery": Part.PAGES,
    "site_logo": Part.PAGES,
    "docs": Part.DOCS,
    "api-docs": Part.DOCS,
    "ops": Part.MONITORING,
}


def signed_in(view: View) -> View:
    """Let only signed-in users call a view of the other application; put it below the decorator of the route.

    The session must be active, and the account may sign in. With a cookie, requests that change something need the CSRF
    value too, as everywhere in the service.

    Raises:
        HTTPException: 401, 403 or 503, which the error handlers of the application render. Its `problem` is the error
            of the service, as a problem document.
    """
    return _protected(view, Access.SIGNED_IN)


def requires(permission: str) -> Callable[[View], View]:
    """Let only staff with a permission, such as `view_user`, call a view of the other application."""
    return lambda view: _protected(view, Access.STAFF, permission)


def find_user() -> User | None:
    """The user who sent this request; None if a view that is `signed_in` would reject it."""
    if FOUND not in g:
        try:
            setattr(g, FOUND, _check(Access.SIGNED_IN))
        except (Unauthorized, Forbidden):
            setattr(g, FOUND, None)
    found: User | None = g.get(FOUND)
    return found


def get_user() -> User:
    """The user who sent this request, in a view that is `signed_in`."""
    found = find_user()
    if found is None:
        raise RuntimeError("no one is signed in: is the view `signed_in`?")
    return found


def csrf_token() -> str:
    """The value of the field `csrf_token` in forms of the application, for users signed in with a cookie."""
    return request.cookies.get(_service().config["JWT_ACCESS_CSRF_COOKIE_NAME"], "")


def mount(
    host: Flask,
    settings: Mapping[str, Any],
    *,
    extensions: Iterable[Extension] = (),
    parts: Collection[Part | str] = (Part.API,),
) -> Flask:
    """Mount the service in another application; call this after the application has its routes.

    Args:
        host: the other application.
        settings: of the service, as `userapi.settings.load` returns them. With the DATABASE_URL of the application,
            both share the database.
        extensions: of the service, besides those of its setting EXTENSIONS.
        parts: which parts are mounted; the API alone by default.

    Returns:
        The application of the service.

    Raises:
        ConfigurationError: the application has its own routes at paths of the service, or something else does not fit.
    """
    wanted = _read_parts(parts)
    if MOUNTED in host.extensions:
        raise ConfigurationError("The application has mounted the service already.")
    if "VERSION_TABLE" not in settings:
        raise ConfigurationError("The settings must be those that userapi.settings.load returns.")
    changed: dict[str, Any] = {"STATIC_PATH": STATIC_PATH}
    if settings["VERSION_TABLE"] == "alembic_version":
        changed["VERSION_TABLE"] = VERSION_TABLE
    if not wanted >= {Part.PAGES, Part.DOCS}:  # its pages link to those
        changed["BROWSABLE_API"] = False
    # In a context of its own: the caller may be in that of the other application.
    ours = Context().run(create_app, {**settings, **changed}, extensions)
    prefixes = {_prefix_of(rule.rule) for rule in ours.url_map.iter_rules() if _part_of(rule) in wanted} - {"/"}
    if placeholders := sorted(prefix for prefix in prefixes if "<" in prefix):
        raise ConfigurationError(f"Mounted extensions cannot have routes such as {placeholders[0]}, for any path.")
    _reject_collisions((rule.rule for rule in host.url_map.iter_rules()), prefixes)
    _reject_unknown_permissions(host, ours)
    _check_later_routes(host, ours, prefixes)
    host.wsgi_app = _Gateway(host.wsgi_app, ours, prefixes)  # type: ignore[method-assign]
    host.cli.add_command(MountedCommands(ours))
    host.extensions[MOUNTED] = ours
    return ours


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Whether a name in the database belongs to the other application; for `Migrate(…, include_name=include_name)`.

    Without it, `flask db migrate` of the application would delete the tables of the service.
    """
    branches = _service().extensions.get(migrations.BRANCHES, {}).values()
    is_ours = kind == "table" and (
        name in Model.metadata.tables
        or name == _service().config["VERSION_TABLE"]
        or any(branch.has_table(str(name)) for branch in branches)
        or not search_index.include_name(name, kind, {})
    )
    return not is_ours


class _Gateway:
    """Passes requests to the service if their path is one of its own, and all others to the application."""

    def __init__(self, host: "WSGIApplication", ours: Flask, prefixes: Collection[str]) -> None:
        self._host = host
        self._ours = ours
        self._prefixes = frozenset(prefixes)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        is_ours = _prefix_of(environ.get("PATH_INFO", "")) in self._prefixes
        return (self._ours if is_ours else self._host)(environ, start_response)


def _prefix_of(path: str) -> str:
    """The first folder of a path; the first two if that is `.well-known`, which all applications of a site share."""
    folders = path.split("/", 3)[1:]
    count = 2 if folders[:1] == [".well-known"] else 1
    return "/" + "/".join(folders[:count])


def _part_of(rule: Rule) -> Part:
    """The part of the service that a route belongs to; the blueprints of extensions belong to the API."""
    if rule.rule.startswith("/admin/"):
        return Part.STAFF_SITE
    return PART_OF_BLUEPRINT.get(rule.endpoint.partition(".")[0], Part.API)


def _read_parts(parts: Collection[Part | str]) -> set[Part]:
    try:
        wanted = {Part(part) for part in ([parts] if isinstance(parts, str) else parts)}
    except ValueError as error:
        raise ConfigurationError(f"parts: {error}: Use {', '.join(Part)}.") from error
    if Part.STAFF_SITE in wanted and Part.PAGES not in wanted:
        raise ConfigurationError("parts: The staff site needs the pages, because its users sign in there.")
    return wanted


def _reject_unknown_permissions(host: Flask, ours: Flask) -> None:
    known = ours.extensions[permission_names.STORED_PERMISSIONS]
    for endpoint, view in host.view_functions.items():
        if (permission := getattr(view, PERMISSION, "")) and permission not in known:
            raise ConfigurationError(f"The view {endpoint} requires {permission}, which is not a permission.")


def _reject_collisions(rules: Iterable[str], prefixes: Collection[str]) -> None:
    if routes := sorted({rule for rule in rules if _prefix_of(rule) in prefixes}):
        raise ConfigurationError(
            f"The application has routes of its own at paths of the mounted service: {', '.join(routes)}. Give them "
            "other paths, or mount fewer parts."
        )


def _check_later_routes(host: Flask, ours: Flask, prefixes: Collection[str]) -> None:
    """Check the routes that the application adds from now on, as those that it has."""
    add = host.add_url_rule

    @wraps(add)
    def add_url_rule(rule: str, *args: Any, **kwargs: Any) -> None:
        _reject_collisions([rule], prefixes)
        add(rule, *args, **kwargs)
        _reject_unknown_permissions(host, ours)

    host.add_url_rule = add_url_rule  # type: ignore[method-assign]


def _service() -> Flask:
    found: Flask = current_app.extensions[MOUNTED]
    return found


def _protected(view: View, access: Access, permission: str = "") -> View:
    @wraps(view)
    def protected(*args: Any, **kwargs: Any) -> Any:
        setattr(g, FOUND, _check(access, permission))
        return view(*args, **kwargs)

    setattr(protected, PERMISSION, permission)
    return protected  # type: ignore[return-value]


def _check(access: Access, permission: str = "") -> User:
    """Check the credentials of the current request of the other application, as those of one of our routes."""
    ours = _service()
    context = ours.request_context({**request.environ, "PATH_INFO": "/userapi/"})  # below it, errors are JSON
    has_cookie = ours.config["JWT_ACCESS_COOKIE_NAME"] in request.cookies
    if has_cookie and request.mimetype in FORM_TYPES:  # a body can be read once, and a form may have the CSRF value
        context.request.__dict__.update(form=request.form, files=request.files, stream=request.stream)
    with context:
        try:
            authentication.require_access(access, permission, {})
        except ERRORS as error:
            _reject(ours, error)
        return to_user(caller.get_caller().user)


def _reject(app: Flask, error: Exception) -> NoReturn:
    """Raise the HTTP error of the other application for an error of the service."""
    response = app.make_response(app.handle_user_exception(error))
    document = orjson.loads(response.get_data())
    rejected: HTTPException = default_exceptions[response.status_code](document["detail"])
    if isinstance(rejected, Unauthorized):
        rejected.www_authenticate = (response.www_authenticate,)
    rejected.problem = document  # type: ignore[attr-defined]
    raise rejected from error
