"""Adapts an application to clients of the replaced service."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask

from userapi.core import context
from userapi.http import bodies
from userapi.http.negotiation import prefers_page

from . import documents
from .problems import FormatNotAvailable, NoFormatInPath

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: The scheme of the Authorization header that those clients send.
SCHEME = "jwt "

#: The values of `?format=` that mean JSON or a page, as Accept says.
FORMATS = ("json", "api", "")

View = Callable[..., Any]


def configure(app: Flask, adapted: Mapping[str, Callable[[View], View]]) -> None:
    """Adapt the operations, once they are registered.

    Args:
        app: the application.
        adapted: functions by endpoint, which make the view that is served out of the present one.
    """
    views, made = app.view_functions, {}
    views["auth.replace_me"] = views["auth.edit_me"]  # PUT did not require a profile
    for endpoint, adapt in adapted.items():
        view = views[endpoint]
        if view not in made:  # one view at two paths stays one view, by which the browsable API finds it
            made[view] = adapt(view)
        views[endpoint] = made[view]
    bodies.set_adapter(app, _adapt_body)
    app.before_request(_reject_other_formats)
    app.after_request(documents.add_old_errors)
    app.wsgi_app = partial(_accept_scheme, app.wsgi_app)  # type: ignore[method-assign]


def _accept_scheme(
    app: "WSGIApplication", environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    """Read `Authorization: JWT <token>` as a bearer token."""
    header: str = environ.get("HTTP_AUTHORIZATION", "")
    if header[: len(SCHEME)].lower() == SCHEME:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {header[len(SCHEME) :]}"
    return app(environ, start_response)


def _reject_other_formats() -> None:
    """Name what to do instead of requesting another format.

    Raises:
        FormatNotAvailable, NoFormatInPath: another format was requested, in the query or in the path.
    """
    request = context.current_request()
    if not request.path.startswith("/userapi/") or prefers_page():
        return
    if request.url_rule is None and request.path.endswith((".json", ".api")):
        raise NoFormatInPath
    if request.args.get("format", "") not in FORMATS:
        raise FormatNotAvailable


def _adapt_body(body: dict[str, Any]) -> dict[str, Any]:
    """A body without what those clients send and this service has no field for.

    A sign-in may have an empty `username` or `email` beside the other one, and a user the `pk` that was read.
    """
    endpoint = context.current_request().endpoint
    if endpoint in documents.SIGN_INS and {"username", "email"} <= body.keys():
        return {name: value for name, value in body.items() if value != "" or name == "password"}
    if endpoint in ("auth.edit_me", "auth.replace_me"):
        return {name: value for name, value in body.items() if name != "pk"}
    return body
