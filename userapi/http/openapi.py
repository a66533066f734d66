"""The API layer: a blueprint whose decorators are the contract of a route; the OpenAPI document is made from them."""

import re
from collections.abc import Callable
from copy import deepcopy
from enum import Enum
from functools import partial
from typing import Any

import flask_smorest
from flask import Flask, current_app
from werkzeug.routing import BaseConverter, ValidationError

from userapi.core import context
from userapi.core.problems import (
    InsufficientScope,
    NotAcceptable,
    NotSignedIn,
    PermissionDenied,
    Problem,
    ProofNeeded,
    SecondStepRequired,
    Unavailable,
    to_example_document,
)
from userapi.core.scopes import Scope

from .documentation import Decorator, DocumentedBlueprint, View, add_step, apply_all
from .negotiation import get_preferred_media_type, is_program_path

MAX_ROW_ID = 2**63 - 1

#: What every operation may also return: body too large, unsupported media type, too many requests, or a dependency
#: unavailable.
OTHER_ERRORS = "Any other error, in the same format."

#: A placeholder for an ID in a URL rule: `<row_id:user_id>`.
ID_IN_PATH = re.compile(r"<(\w+):((\w+)_id)>")

#: Example ids for operations, by converter.
EXAMPLE_IDS: dict[str, Any] = {"string": "google", "row_id": 7, "uuid": "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35"}

#: The ways to authenticate; any of them is sufficient.
SECURITY_ALTERNATIVES: list[dict[str, list[str]]] = [{"oauth2": []}, {"bearer": []}, {"cookie": []}]


#: What `Blueprint.scope` requires.
SCOPES = "With an API key: requires the scope {scopes}."
ANY_KEY = "With an API key: requires no scope."

#: What `Blueprint.fresh` requires.
FRESH = "Requires a recent proof of identity: `POST /userapi/auth/prove/`."


class Access(Enum):
    """Who may call an operation. `userapi.auth.authentication` checks it before the route runs."""

    OPEN = "Public. If you send a bearer token, it must be valid."
    UNCHECKED = "Public. The operation checks any credentials itself."
    SIGNED_IN = "Requires sign-in."
    OWNER_OR_STAFF = "Requires sign-in as the user in the path, or as staff with the permission `{permission}`."
    STAFF = "Requires sign-in as staff with the permission `{permission}`."
    SUPERUSER = "Requires sign-in as a superuser."


class Blueprint(DocumentedBlueprint):
    """A blueprint whose operations require sign-in unless they are marked otherwise."""

    @staticmethod
    def jwt_required() -> Callable[[View], View]:
        """Only callers with a valid access token.

        Like the marks below, this is a mark for `userapi.auth.authentication`. It does what Flask-JWT-Extended's
        decorator of this name does, before the body is read, and verifies no token twice (decision 0038).
        """
        return partial(_mark_access, access=Access.SIGNED_IN)

    @staticmethod
    def open_to_all(view: View) -> View:
        """Anyone may call, as with `jwt_required(optional=True)`.

        An invalid bearer token is still rejected; an invalid cookie is ignored.
        """
        return _mark_access(view, Access.OPEN)

    @staticmethod
    def checks_credentials_itself(view: View) -> View:
        """Anyone may call; the route itself checks any token that is sent."""
        return _mark_access(view, Access.UNCHECKED)

    @staticmethod
    def owner_or_staff(permission: str) -> Callable[[View], View]:
        """Requires sign-in as the user whose `user_id` is in the path, or as staff with a permission."""
        return partial(_mark_access, access=Access.OWNER_OR_STAFF, permission=permission)

    @staticmethod
    def staff_only(permission: str) -> Callable[[View], View]:
        """Requires sign-in as staff with a permission."""
        return partial(_mark_access, access=Access.STAFF, permission=permission)

    @staticmethod
    def scope(*scopes: Scope) -> Callable[[View], View]:
        """Also for API keys with all of these scopes; without one, for every API key.

        An operation without this mark is closed to API keys.
        """

        def decorate(view: View) -> View:
            view.scopes = scopes  # type: ignore[attr-defined]
            return view

        return decorate

    @staticmethod
    def superusers_only(view: View) -> View:
        """Requires sign-in as a superuser who is staff."""
        return _mark_access(view, Access.SUPERUSER)

    @staticmethod
    def fresh(view: View) -> View:
        """Requires a recent proof of identity, besides what the other marks require."""
        view.fresh = True  # type: ignore[attr-defined]
        return view

    @staticmethod
    def open_to_set_up(view: View) -> View:
        """Also for callers who have to set up or give a second step before they may do anything else."""
        view.open_to_set_up = True  # type: ignore[attr-defined]
        return view

    @staticmethod
    def open_to_incomplete(view: View) -> View:
        """Also for callers whose own profile lacks mandatory fields, where it is about their own account."""
        view.open_to_incomplete = True  # type: ignore[attr-defined]
        return view

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """Register an operation, which requires sign-in unless marked otherwise, and document its access."""
        view_func.access = getattr(view_func, "access", None) or Access.SIGNED_IN
        add_step(view_func, partial(self._describe_access, view_func))
        options["parameters"] = [
            {"in": "path", "name": name, "description": f"The id of the {thing}.", "example": EXAMPLE_IDS[kind]}
            for kind, name, thing in ID_IN_PATH.findall(rule)
        ]
        super().add_url_rule(rule, endpoint, view_func, *args, **options)

    def _describe_access(self, view: Any) -> Decorator:
        access: Access = view.access
        open_operation = access in (Access.OPEN, Access.UNCHECKED)
        scopes: tuple[Scope, ...] | None = getattr(view, "scopes", None)
        security = [] if open_operation else deepcopy(SECURITY_ALTERNATIVES)
        if scopes and not open_operation:
            security.append({"api_key": [scope.value for scope in scopes]})
        first_line = (view.__doc__ or "").strip().partition("\n")[0]
        title, _dot, more = first_line.partition(". ")
        is_fresh = getattr(view, "fresh", False)
        who = access.value.format(permission=getattr(view, "permission", ""))
        if scopes is not None:
            who = f"{who} {_describe_scopes(scopes)}"
        texts = (more, FRESH if is_fresh else "", who)
        errors: tuple[type[Problem], ...] = ()
        if not open_operation:
            errors = (NotSignedIn,) if access is Access.SIGNED_IN else (NotSignedIn, PermissionDenied)
        if not open_operation and not getattr(view, "open_to_set_up", False):
            errors = (*errors, SecondStepRequired)
        if is_fresh:
            errors = (*errors, ProofNeeded)
        if scopes:
            errors = (*errors, InsufficientScope)
        description = "\n\n".join(filter(None, texts))
        return apply_all(
            (
                flask_smorest.Blueprint.doc(
                    security=security, summary=f"{title.removesuffix('.')}.", description=description
                ),
                self.describe_problems(*errors),
                self.describe_problem("default", OTHER_ERRORS, example=to_example_document(Unavailable)),
            )
        )


def _describe_scopes(scopes: tuple[Scope, ...]) -> str:
    return SCOPES.format(scopes=" and ".join(f"`{scope}`" for scope in scopes)) if scopes else ANY_KEY


def _mark_access(view: View, access: Access, permission: str = "") -> View:
    view.access, view.permission = access, permission  # type: ignore[attr-defined]
    return view


class RowIdConverter(BaseConverter):
    """A row number in a path, in its one spelling: no sign, no leading zero, ASCII digits, 63 bits."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        """The number."""
        number = int(value)
        if number > MAX_ROW_ID:
            raise ValidationError
        return number


def configure(app: Flask) -> None:
    """Check the Accept header before every operation, and register the `row_id` converter."""
    app.before_request(_reject_unacceptable)
    app.url_map.converters["row_id"] = RowIdConverter


def _reject_unacceptable() -> None:
    """Let an operation run for callers that accept JSON or, as browsers do, HTML.

    Raises:
        NotAcceptable: the caller accepts neither (RFC 9110, section 12.5.1).
    """
    if get_preferred_media_type() is not None:
        return
    request = context.current_request()
    view = current_app.view_functions.get(request.endpoint or "")
    if hasattr(view, "access") and request.method != "OPTIONS" and not is_program_path():
        raise NotAcceptable
