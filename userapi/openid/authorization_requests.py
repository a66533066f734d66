"""Reading authorization requests (OpenID Connect Core, section 3.1.2.1; RFC 9126 for those that are pushed).

The parameters are checked in an order: until the client and its redirect URI are certain, an error stays on this site;
afterwards the client gets it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask_babel import gettext as _

from . import authorization_parameters, client_checks, openid_tokens, queries
from .authorization_parameters import MAX_LENGTH, RESPONSE_MODES
from .client_checks import Grant
from .models import ClientKind
from .problems import BadClientRequest, OAuthError

#: How the `request_uri` of a pushed request begins (RFC 9126, section 2.2).
PUSHED = "urn:ietf:params:oauth:request_uri:"


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that has been checked.

    Attributes:
        client_id: which client sent it.
        redirect_uri: where the answer goes.
        response_mode: how, one of `RESPONSE_MODES`.
        state, nonce: what the client gets back.
        code_challenge: None from a client that is exempted.
        scopes: those that are requested and that the client may request.
        resource: the audience of the access token; None for the issuer.
        prompts: some of `PROMPTS`.
        max_age: how old the proof of identity may be, in seconds.
        hinted_user: the user that an ID token of this client named.
        language: the first of `ui_locales` that there is.
        login_hint: the email address to fill in.
    """

    client_id: str
    redirect_uri: str
    response_mode: str
    state: str | None
    nonce: str | None
    code_challenge: str | None
    scopes: str
    resource: str | None
    prompts: tuple[str, ...]
    max_age: int | None
    hinted_user: int | None
    language: str | None
    login_hint: str | None

    def to_json(self) -> dict[str, Any]:
        """The members for `from_json`, without those that are empty."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> "AuthorizationRequest":
        """The request with these members."""
        empty = dict.fromkeys(cls.__dataclass_fields__)
        return cls(**{**empty, **members, "prompts": tuple(members.get("prompts", ()))})

    def oldest_proof(self, began: datetime) -> datetime | None:
        """Since when the user must have proved the identity; None if any session is sufficient.

        Args:
            began: when the request came.
        """
        if "login" in self.prompts:
            return began
        return None if self.max_age is None else began - timedelta(seconds=self.max_age)


@dataclass(frozen=True)
class Answer:
    """What a client gets by way of the browser.

    Attributes:
        redirect_uri: where.
        response_mode: `query` or `form_post`.
        parameters: what.
        client_name: for the page that continues there.
    """

    redirect_uri: str
    response_mode: str
    parameters: Mapping[str, str]
    client_name: str

    @property
    def url(self) -> str:
        """The redirect URI with the parameters."""
        joint = "&" if urlsplit(self.redirect_uri).query else "?"
        return f"{self.redirect_uri}{joint}{urlencode(self.parameters)}"


class SentBack(Exception):
    """An error that the client gets by way of the browser.

    Attributes:
        answer: what it gets.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.parameters.get("error"))
        self.answer = answer


def answer_to(request: AuthorizationRequest, client: Any, **parameters: str) -> Answer:
    """An answer with `state` and `iss` (RFC 9207)."""
    state = {} if request.state is None else {"state": request.state}
    return Answer(
        request.redirect_uri,
        request.response_mode,
        {**parameters, **state, "iss": openid_tokens.issuer()},
        client.name,
    )


def error_to(request: AuthorizationRequest, client: Any, error: str, description: str = "") -> SentBack:
    """An error for the client."""
    more = {"error_description": description} if description else {}
    return SentBack(answer_to(request, client, error=error, **more))


def find_client(client_id: str) -> Any:
    """The client that a request names.

    Raises:
        BadClientRequest: it is unknown, disabled, or does not sign in users.
    """
    client = queries.find_active_client(client_id)
    if client is None or Grant.CODE not in client.grants.split():
        raise BadClientRequest(_("This service does not know the application that sent you here."))
    return client


def is_registered(client: Any, redirect_uri: str) -> bool:
    """Whether a browser may be sent to a redirect URI of a client, which may have changed since the request came."""
    return client_checks.matches_redirect(client.kind, client.redirect_uris, redirect_uri)


def read(client: Any, parameters: Mapping[str, str]) -> AuthorizationRequest:
    """Check the parameters of a client's request.

    Args:
        client: its row.
        parameters: each once, without empty ones.

    Raises:
        BadClientRequest: the redirect URI is not registered.
        SentBack: anything else is wrong.
    """
    redirect_uri = parameters.get("redirect_uri", "")
    if not is_registered(client, redirect_uri):
        raise BadClientRequest(
            _("The address to which %(name)s wants you to return is not registered here.", name=client.name)
        )
    mode = parameters.get("response_mode", "query")
    state = parameters.get("state")
    basis = _bare_request(client, redirect_uri, mode if mode in RESPONSE_MODES else "query", state)
    if state is not None and len(state) > MAX_LENGTH:
        without_state = _bare_request(client, redirect_uri, basis.response_mode, None)
        raise error_to(without_state, client, "invalid_request", "The parameter state is too long.")
    try:
        return _read_checked(client, parameters, basis)
    except OAuthError as error:
        raise error_to(basis, client, error.error, error.description) from error


def _bare_request(client: Any, redirect_uri: str, mode: str, state: str | None) -> AuthorizationRequest:
    members = {
        "client_id": client.id,
        "redirect_uri": redirect_uri,
        "response_mode": mode,
        "state": state,
        "scopes": "",
    }
    return AuthorizationRequest.from_json(members)


def _read_checked(client: Any, parameters: Mapping[str, str], basis: AuthorizationRequest) -> AuthorizationRequest:
    authorization_parameters.check(parameters)
    return AuthorizationRequest(
        client_id=client.id,
        redirect_uri=basis.redirect_uri,
        response_mode=basis.response_mode,
        state=basis.state,
        nonce=parameters.get("nonce"),
        code_challenge=authorization_parameters.read_challenge(client, parameters),
        scopes=authorization_parameters.read_scopes(client, parameters.get("scope", "")),
        resource=authorization_parameters.read_resource(client, parameters.get("resource")),
        prompts=authorization_parameters.read_prompts(parameters.get("prompt", "")),
        max_age=authorization_parameters.read_max_age(parameters.get("max_age")),
        hinted_user=authorization_parameters.read_hint(client, parameters.get("id_token_hint")),
        language=authorization_parameters.read_language(parameters.get("ui_locales", "")),
        login_hint=parameters.get("login_hint"),
    )


def must_ask_each_time(client: Any, request: AuthorizationRequest) -> bool:
    """Whether consent is never remembered: another app on the device could have registered the same scheme."""
    scheme = urlsplit(request.redirect_uri).scheme
    return client.kind == ClientKind.NATIVE and scheme not in ("https", "http")
