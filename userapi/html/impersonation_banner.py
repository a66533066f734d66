"""The banner on every page while a member of staff acts as a user."""

from dataclasses import dataclass

from flask import Flask, g, request

from userapi.auth import caller as callers
from userapi.auth import credentials, tokens
from userapi.auth.caller import Caller
from userapi.core import clock
from userapi.core.problems import Problem
from userapi.http.errors import DATABASE_ERRORS

from . import csrf


@dataclass(frozen=True)
class Banner:
    """What the banner says.

    Attributes:
        email, name: of the user; the name may be empty.
        own_email, own_name: of the member of staff.
        minutes: how many are left.
        may_write: whether some changes are allowed.
        csrf_token: of the form that stops it.
    """

    email: str
    name: str
    own_email: str
    own_name: str
    minutes: int
    may_write: bool
    csrf_token: str


def configure(app: Flask) -> None:
    """Offer `impersonation_banner()` to templates."""

    def get_banner() -> Banner | None:
        caller = _find_caller()
        if caller is None or caller.impersonation is None:
            return None
        found, user = caller.impersonation, caller.user
        return Banner(
            email=user.email,
            name=f"{user.first_name} {user.last_name}".strip(),
            own_email=found.email,
            own_name=found.name,
            minutes=max(1, round((found.ends_at - clock.now()).total_seconds() / 60)),
            may_write=app.config["IMPERSONATION_WRITES"],
            csrf_token=csrf.session_token(caller.session_id),
        )

    app.jinja_env.globals["impersonation_banner"] = get_banner


def _find_caller() -> Caller | None:
    """The caller; on error pages, which do not look for one, that of the cookie."""
    found = callers.find_caller()
    cookie = credentials.access_cookie()
    if found is not None or cookie is None or "caller" in g or request.method == "OPTIONS":
        return found
    try:
        claims = tokens.verify_access(cookie, web=True)
        if claims.impersonator_id is None:
            return None
        loaded = callers.load_caller(claims)
    except (Problem, *DATABASE_ERRORS):
        return None
    return loaded if isinstance(loaded, Caller) else None
