"""Who acts, from where, and in which request: what the audit log and log lines record."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import click
from flask import Flask, Request, current_app, g, has_request_context, request


class Origin(StrEnum):
    """Which way an act came in."""

    WEB = "web"
    API = "api"
    COMMAND_LINE = "cli"
    IMPORT = "import"
    SYSTEM = "system"
    #: Of events from before origins were stored, and of a script that does not say.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ActingContext:
    """Who acts, and how.

    Attributes:
        origin: how the request came in.
        actor_id: the signed-in user, or the user who started a job; None for anonymous requests, for the
            command line and for what the service does by itself.
        os_user: the operating-system user at the command line.
        ip_address: of the client; None outside a request.
        user_agent: at most 255 characters of the `User-Agent` header.
        request_id: the id in the `X-Request-ID` of the response; None outside a request.
        key_id: the API key that the request was made with, itself or by a token that it was exchanged for.
        impersonator_id: the member of staff who acts as the actor, or who begins to.
    """

    origin: Origin = Origin.UNKNOWN
    actor_id: int | None = None
    os_user: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    key_id: str | None = None
    impersonator_id: int | None = None


def current_request() -> Request:
    """The current request without Flask's proxy.

    Every attribute read through the proxy looks the request up again; on a hot path that costs more than the attribute
    (decision 0019).
    """
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def current_application() -> Flask:
    """The current application without Flask's proxy, for the same reason."""
    found: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return found


def current_g() -> Any:
    """Flask's `g` without its proxy, for the same reason."""
    return g._get_current_object()


def current_user() -> Any:
    """The row of the signed-in user behind this request, for code below `userapi.auth`; None for an anonymous visitor.

    `userapi.auth.caller`, which sets it, knows the session too.
    """
    caller = current_g().get("caller")
    return None if caller is None else caller.user


def current_actor() -> Any:
    """The same user as the actor of a rule: without permissions that require a second step which was not given."""
    caller = current_g().get("caller")
    return None if caller is None else caller.actor


#: Who acts outside requests.
_outside_requests: ContextVar[ActingContext | None] = ContextVar("userapi-acting", default=None)


def get_acting_context() -> ActingContext:
    """The current actor and origin."""
    if not has_request_context():
        return _outside_requests.get() or _commanding()
    request, g = current_request(), current_g()
    return ActingContext(
        origin=_origin_of(request),
        actor_id=g.get("actor_id"),
        ip_address=request.remote_addr,
        user_agent=request.environ.get("HTTP_USER_AGENT", "")[:255] or None,
        request_id=g.get("request_id"),
        key_id=g.get("key_id"),
        impersonator_id=g.get("impersonator_id"),
    )


@contextmanager
def use_acting_context(acting: ActingContext) -> Iterator[None]:
    """Set who acts in the block, outside a request."""
    before = _outside_requests.set(acting)
    try:
        yield
    finally:
        _outside_requests.reset(before)


def command_line_context() -> ActingContext:
    """The command line, with the operating-system user of this process."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a number without a name
        name = f"uid {os.getuid()}"
    return ActingContext(origin=Origin.COMMAND_LINE, os_user=name[:64])


def _commanding() -> ActingContext:
    """The command line, if a command of Flask's is running."""
    return command_line_context() if click.get_current_context(silent=True) else ActingContext()


def _origin_of(request: Request) -> Origin:
    """An operation of the API, whatever it answers with, or a page."""
    view = current_application().view_functions.get(request.endpoint or "")
    return Origin.API if hasattr(view, "access") else Origin.WEB
