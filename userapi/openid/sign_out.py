"""Signing out because a client requests it (OpenID Connect RP-Initiated Logout)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask_babel import gettext as _

from userapi.auth.caller import Caller

from . import families, openid_tokens, queries
from .authorization_parameters import MAX_LENGTH
from .openid_tokens import Kind, NotValid
from .problems import BadSignOutRequest

#: The parameters that the page with the button sends again.
PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")


@dataclass(frozen=True)
class SignOutRequest:
    """A request that has been checked.

    Attributes:
        parameters: those that the page with the button sends again.
        url: of the client, where the browser goes in the end; None for a page of this site.
        client: the row of the client; None if the request names none.
        sid: the session that an ID token of this client names.
    """

    parameters: Mapping[str, str]
    url: str | None
    client: Any
    sid: str | None

    @property
    def client_name(self) -> str:
        """The name of the client; empty if the request names none."""
        return self.client.name if self.client is not None else ""

    def is_proved_for(self, caller: Caller) -> bool:
        """Whether the client is the operator's, and has an ID token of the very session of the caller."""
        if self.client is None or not self.client.is_first_party or self.sid is None:
            return False
        return families.make_sid(caller.session_id, self.client.id) == self.sid


def read(parameters: Mapping[str, str]) -> SignOutRequest:
    """Check the parameters of a request.

    Raises:
        BadSignOutRequest: the hint is no ID token of this provider, names another client, the URL is not registered, or
            the state is too long.
    """
    sent = {name: value for name, value in parameters.items() if name in PARAMETERS}
    hint, client_id, sid = sent.get("id_token_hint"), sent.get("client_id"), None
    if hint is not None:
        try:
            claims = openid_tokens.verify(hint, Kind.ID, allow_expired=True)
        except NotValid as error:
            raise BadSignOutRequest from error
        if client_id not in (None, claims.get("aud")):
            raise BadSignOutRequest
        client_id, sid = str(claims.get("aud")), str(claims.get("sid"))
    client = queries.find_active_client(client_id) if client_id is not None else None
    if client_id is not None and client is None:
        raise BadSignOutRequest(_("This service does not know the application that sent you here."))
    if len(sent.get("state", "")) > MAX_LENGTH:  # it would not fit into a header that proxies accept
        raise BadSignOutRequest
    url = sent.get("post_logout_redirect_uri")
    if url is not None:
        if client is None or url not in client.post_logout_redirect_uris:
            raise BadSignOutRequest(_("The application wants you to return to an address that is not registered here."))
        if "state" in sent:
            url += f"{'&' if urlsplit(url).query else '?'}{urlencode({'state': sent['state']})}"
    return SignOutRequest(sent, url, client, sid)
