"""The form of a client application: its fields depend on its kind."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext
from werkzeug.datastructures import MultiDict

from userapi.core.problems import Problem, ValidationFailed
from userapi.html.forms import Form
from userapi.openid import client_checks, clients, scopes
from userapi.openid.client_checks import Grant
from userapi.openid.client_secrets import TokenAuth
from userapi.openid.models import ClientKind

#: What staff read of each kind: its name, and what it is.
KINDS = {
    ClientKind.WEB: (
        lazy_gettext("Web application"),
        lazy_gettext("It runs on a server, which keeps its secret."),
    ),
    ClientKind.SPA: (
        lazy_gettext("Single-page application"),
        lazy_gettext("Its scripts run in the browser without a server of their own, so it has no secret."),
    ),
    ClientKind.NATIVE: (
        lazy_gettext("App or device"),
        lazy_gettext("An app on a phone or a computer, or a device without a browser. It has no secret."),
    ),
    ClientKind.MACHINE: (
        lazy_gettext("Program without users"),
        lazy_gettext("It gets tokens for itself with its secret; no user is involved."),
    ),
}

#: What a client can request from users: all scopes but `openid`, which each has.
SCOPES = {
    "profile": lazy_gettext("Name, date of birth and language"),
    "email": lazy_gettext("Email address"),
    "address": lazy_gettext("Postal address"),
    "groups": lazy_gettext("Groups"),
    scopes.OFFLINE: lazy_gettext("Access that outlasts a sign-out"),
}

GRANTS = {
    Grant.CODE: lazy_gettext("Sign-in in the browser"),
    Grant.REFRESH: lazy_gettext("Refresh tokens"),
    Grant.DEVICE: lazy_gettext("Sign-in on a device without a browser"),
    Grant.MACHINE: lazy_gettext("Tokens for itself, without a user"),
}

TOKEN_AUTHS = {
    TokenAuth.BASIC: lazy_gettext("In the Authorization header"),
    TokenAuth.POST: lazy_gettext("In the form"),
}

#: Lists of URLs, one a line.
LISTS = ("redirect_uris", "post_logout_redirect_uris", "origins", "resources")

TEXTS = ("name", "home_page", "backchannel_logout_uri", "token_auth", "id_token_alg")
FLAGS = ("is_first_party", "requires_pkce", "claims_in_id_token", "requires_par")

#: Inputs that are not called as their column: what looks like a secret is not saved with a form (`saved_forms`).
INPUTS = {"token_auth": "authentication", "id_token_alg": "algorithm", "claims_in_id_token": "id_claims"}

#: The fields of every client.
COMMON = ("name", "home_page", "scopes", "resources", "is_first_party")

#: Those of clients that sign in users.
OF_USERS = (
    "redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri", "origins", "grants", "id_token_alg",
    "claims_in_id_token", "requires_par",
)  # fmt: skip


def fields_of(kind: ClientKind) -> frozenset[str]:
    """The columns that a client of a kind can be given here."""
    return frozenset(
        (
            *COMMON,
            *(OF_USERS if kind is not ClientKind.MACHINE else ()),
            *(("token_auth",) if client_checks.is_confidential(kind) else ()),
            *(("requires_pkce",) if kind is ClientKind.WEB else ()),
        )
    )


def new_form(kind: ClientKind) -> Form:
    """The form of a new client."""
    defaults = {
        **clients.DEFAULTS,
        "name": "",
        "scopes": "" if kind is ClientKind.MACHINE else scopes.join(scopes.DEFAULT),
        "grants": scopes.join(client_checks.DEFAULT_GRANTS[kind]),
        "token_auth": TokenAuth.BASIC.value,
    }
    return form_of(kind, defaults.__getitem__)


def form_of_client(client: Any) -> Form:
    """The form of an existing client.

    Args:
        client: its row.
    """
    form = form_of(ClientKind(client.kind), lambda name: getattr(client, name))
    form.values["version"] = clients.make_version(client)
    return form


def form_of(kind: ClientKind, get: Any) -> Form:
    """A form with the values of the columns that `get` returns."""
    values = {}
    for name in fields_of(kind):
        value = get(name)
        if name in LISTS:
            value = "\n".join(value)
        elif name == "grants" or (name == "scopes" and kind is not ClientKind.MACHINE):
            value = list(scopes.split(value))
        values[INPUTS.get(name, name)] = "" if value is None else value
    return Form(values)


def read_form(kind: ClientKind, sent: MultiDict[str, str]) -> Form:
    """What was typed into the form."""
    values: dict[str, Any] = {"version": sent.get("version")}
    for name in fields_of(kind):
        given = INPUTS.get(name, name)
        if name in FLAGS:
            values[given] = given in sent
        elif name == "grants" or (name == "scopes" and kind is not ClientKind.MACHINE):
            values[given] = sent.getlist(given)
        else:
            values[given] = sent.get(given, "").strip()
    return Form(values)


def read_values(kind: ClientKind, form: Form) -> Mapping[str, Any]:
    """The arguments of `clients.create`, and the changes of `clients.change`."""
    values = {name: form.values[INPUTS.get(name, name)] for name in fields_of(kind)}
    for name in LISTS:
        if name in values:
            values[name] = list(dict.fromkeys(values[name].split()))
    if kind is not ClientKind.MACHINE:
        values["scopes"] = scopes.join((scopes.OPENID, *values["scopes"]))
        values["backchannel_logout_uri"] = values["backchannel_logout_uri"] or None
    return values


def reject(form: Form, problem: Problem) -> None:
    """Add the errors of a rule, which names columns."""
    if isinstance(problem, ValidationFailed):
        errors = problem.errors or {}
        problem = ValidationFailed(errors={INPUTS.get(name, name): messages for name, messages in errors.items()})
    form.reject(problem)
