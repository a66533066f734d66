"""Who is acting, from where, and under which request id: what the audit trail and the log write down."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask, Request, g, has_app_context, has_request_context, request
from werkzeug.middleware.proxy_fix import ProxyFix


@dataclass(frozen=True, slots=True)
class Acting:
    """The origin of an act.

    Attributes:
        actor_id: the signed-in user, or whoever asked for what a worker does; None for a stranger and for the
            command line.
        address: the client's network address; None outside a request.
        user_agent: at most 255 characters of the client's own description.
        request_id: the id in the answer's `X-Request-ID`; None outside a request.
    """

    actor_id: int | None = None
    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


def asked() -> Request:
    """The present request itself: each look through Flask's proxies costs as much as what is looked at."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def known() -> Any:
    """What is known of the present request: `g` itself."""
    return g._get_current_object()


def acting() -> Acting:
    """Who acts now."""
    if not has_request_context():
        return Acting(actor_id=g.get("actor_id") if has_app_context() else None)
    return Acting(
        actor_id=g.get("actor_id"),
        address=request.remote_addr,
        user_agent=request.headers.get("User-Agent", "")[:255] or None,
        request_id=g.get("request_id"),
    )


@contextmanager
def on_behalf_of(user_id: int | None) -> Iterator[None]:
    """Outside a request, let somebody count as the actor of what is done in the block."""
    before, g.actor_id = g.get("actor_id"), user_id
    try:
        yield
    finally:
        g.actor_id = before


def configure(app: Flask) -> None:
    """Believe as many proxies as the settings say."""
    proxies = app.config["TRUSTED_PROXIES"]
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)  # type: ignore[method-assign]
