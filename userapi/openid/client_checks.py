"""What a client application may be registered with: its URLs, scopes and grants."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import gettext as _

from userapi.core.loopback import is_development, is_loopback
from userapi.core.problems import ValidationFailed
from userapi.core.provider_settings import APP_SCHEME
from userapi.core.setting_checks import DEFAULT_PORTS
from userapi.http.fields import BLANK_CHARACTERS, CONTROL_CATEGORIES, has_visible_character

from . import scopes
from .client_secrets import TokenAuth
from .models import MAX_NAME_LENGTH, MAX_SCOPES_LENGTH, MAX_URL_LENGTH, ClientKind
from .openid_tokens import Algorithm

#: The maximum number of URLs in one list.
MAX_URLS = 20

#: What URLs consist of (RFC 3986, appendix A); a backslash or a control character could be read in two ways.
URL = re.compile(r"[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+", re.ASCII)

#: The name of a scope (RFC 6749, section 3.3).
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}", re.ASCII)

#: The Unicode categories of characters that change the direction of a text or are not shown, so that a name could look
#: like another.
INVISIBLE = CONTROL_CATEGORIES | {"Cf"}

#: A host: a name, or an IPv6 address in brackets. Anything else could end a part of a Content-Security-Policy.
HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", re.ASCII)


class Grant(StrEnum):
    """How a client gets tokens (RFC 6749, RFC 8628)."""

    CODE = "authorization_code"
    REFRESH = "refresh_token"
    DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
    MACHINE = "client_credentials"


#: What `--grant` and forms also accept.
SHORT_NAMES = {"device_code": Grant.DEVICE.value}

#: The grants of a new client of each kind, and all that it may have.
DEFAULT_GRANTS: Mapping[ClientKind, tuple[Grant, ...]] = {
    ClientKind.WEB: (Grant.CODE, Grant.REFRESH),
    ClientKind.SPA: (Grant.CODE, Grant.REFRESH),
    ClientKind.NATIVE: (Grant.CODE, Grant.REFRESH),
    ClientKind.MACHINE: (Grant.MACHINE,),
}
ALLOWED_GRANTS: Mapping[ClientKind, tuple[Grant, ...]] = {
    ClientKind.WEB: (Grant.CODE, Grant.REFRESH, Grant.DEVICE, Grant.MACHINE),
    ClientKind.SPA: (Grant.CODE, Grant.REFRESH),
    ClientKind.NATIVE: (Grant.CODE, Grant.REFRESH, Grant.DEVICE),
    ClientKind.MACHINE: (Grant.MACHINE,),
}

#: Kinds that can keep a secret (RFC 6749, section 2.1).
CONFIDENTIAL = (ClientKind.WEB, ClientKind.MACHINE)


def is_confidential(kind: str) -> bool:
    """Whether clients of a kind authenticate with a secret."""
    return ClientKind(kind) in CONFIDENTIAL


def check(values: Mapping[str, Any]) -> None:
    """Check all values of a client.

    Args:
        values: the columns of `models.Client`, with lists as lists.

    Raises:
        ValidationFailed: naming the fields.
    """
    kind = ClientKind(values["kind"])
    found = (
        ("name", _check_name(values["name"])),
        ("home_page", _check_each([values["home_page"]] if values["home_page"] else [], _check_home_page)),
        ("redirect_uris", _check_redirects(values["redirect_uris"], kind, values["grants"])),
        ("post_logout_redirect_uris", _check_each(values["post_logout_redirect_uris"], _redirect_check(kind))),
        ("backchannel_logout_uri", _check_backchannel(values["backchannel_logout_uri"])),
        ("origins", _check_each(values["origins"], _check_origin)),
        ("resources", _check_each(values["resources"], _check_resource)),
        ("scopes", _check_scopes(values["scopes"], kind)),
        ("grants", _check_grants(values["grants"], kind)),
        ("token_auth", _check_token_auth(values["token_auth"], kind)),
        ("id_token_alg", [] if values["id_token_alg"] in list(Algorithm) else [_("Not ES256 or RS256.")]),
        ("requires_pkce", _check_pkce(values, kind)),
    )
    if errors := {name: messages for name, messages in found if messages}:
        raise ValidationFailed(errors=errors)


def is_loopback_redirect(url: str) -> bool:
    """Whether a redirect URI names an IP address of this machine, so that an app may listen on any port (RFC 8252)."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1")


def matches_redirect(kind: str, registered: Collection[str], sent: str) -> bool:
    """Whether a redirect URI is registered: exactly, except for the port of an app on its own machine (RFC 8252, 7.3).

    Args:
        kind: of the client.
        registered: its redirect URIs.
        sent: in the request.
    """
    if sent in registered:
        return True
    if kind != ClientKind.NATIVE or len(sent) > MAX_URL_LENGTH or not URL.fullmatch(sent) or _bad_url(sent):
        return False
    return is_loopback_redirect(sent) and _without_port(sent) in {
        _without_port(url) for url in registered if is_loopback_redirect(url)
    }


def make_origin(url: str) -> str:
    """The origin of a URL as browsers send it: in lower case, without the default port (RFC 6454, section 6.2)."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
    port = "" if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _without_port(url: str) -> str:
    """A URL without its port; nothing else is changed."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
    return parts._replace(netloc=host).geturl()


def _check_name(name: str) -> list[str]:
    if not has_visible_character(name) or len(name) > MAX_NAME_LENGTH:
        return [_("Must have 1 to %(max)s characters.", max=MAX_NAME_LENGTH)]
    has_invisible = any(unicodedata.category(each) in INVISIBLE or each in BLANK_CHARACTERS for each in name)
    return [_("Must not have control characters.")] if has_invisible else []


def _check_each(urls: Collection[str], check_url: Any) -> list[str]:
    if len(urls) > MAX_URLS:
        return [_("There may be %(max)s at most.", max=MAX_URLS)]
    return [f"{url[:100]}: {message}" for url in urls for message in check_url(url)]


def _bad_url(url: str) -> str | None:
    """What is wrong with any absolute URL; None if nothing is."""
    if len(url) > MAX_URL_LENGTH:
        return str(_("Too long."))
    if not URL.fullmatch(url):
        return str(_("Not a URL."))
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        return str(_("Not a URL."))
    if not parts.scheme:
        return str(_("Not an absolute URL."))
    if "#" in url:
        return str(_("Must not have a fragment."))
    return str(_("Must not have a user name.")) if "@" in parts.netloc else None


def _check_web(url: str, *, plain_loopback: bool) -> list[str]:
    """Check an https URL; http is for hosts of this machine, where that is allowed."""
    if wrong := _bad_url(url):
        return [wrong]
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port is not None or parts.netloc.endswith(":") else parts.netloc
    if parts.scheme not in ("https", "http") or not HOST.fullmatch(host):
        return [_("Must be an https URL.")]
    if parts.scheme == "http" and not (plain_loopback and is_loopback(parts.hostname)):
        return [_("Must be an https URL.")]
    return []


def _redirect_check(kind: ClientKind) -> Any:
    def check_url(url: str) -> list[str]:
        if wrong := _bad_url(url):
            return [wrong]
        scheme = urlsplit(url).scheme
        if scheme in ("https", "http"):
            return _check_web(url, plain_loopback=kind is ClientKind.NATIVE or is_development())
        if kind is not ClientKind.NATIVE:
            return [_("Must be an https URL.")]
        return [] if APP_SCHEME.fullmatch(scheme) else [_("A scheme of an app must have a dot, as com.example.app.")]

    return check_url


def _check_redirects(urls: Collection[str], kind: ClientKind, grants: Collection[str]) -> list[str]:
    if Grant.CODE in grants and not urls:
        return [_("A client that signs in users needs at least one.")]
    return _check_each(urls, _redirect_check(kind))


def _check_home_page(url: str) -> list[str]:
    return _check_web(url, plain_loopback=is_development())


def _check_backchannel(url: str | None) -> list[str]:
    return _check_web(url, plain_loopback=is_development()) if url else []


def _check_origin(origin: str) -> list[str]:
    wrong = _check_web(origin, plain_loopback=is_development())
    parts = urlsplit(origin) if not wrong else None
    if parts is not None and (parts.path or "?" in origin):
        return [_("Must be scheme and host, without a path.")]
    return wrong


def _check_resource(url: str) -> list[str]:
    """An absolute URI without a fragment (RFC 8707, section 2); never the issuer, whose endpoints are here."""
    if wrong := _bad_url(url):
        return [wrong]
    if make_origin(url) == current_app.config["SITE_URL"] or url == current_app.config["JWT_AUDIENCE"]:
        return [_("Must not be a URL of this service.")]
    return []


def _check_scopes(text: str, kind: ClientKind) -> list[str]:
    names = scopes.split(text)
    unknown = [
        name for name in names if not SCOPE.fullmatch(name) or (kind is not ClientKind.MACHINE and not _known(name))
    ]
    if unknown:
        return [_("Unknown: %(names)s.", names=", ".join(unknown)[:200])]
    if len(text) > MAX_SCOPES_LENGTH:
        return [_("Too long.")]
    if kind is ClientKind.MACHINE and set(names) & scopes.TEXTS.keys():
        return [_("Scopes about users are not for machines.")]
    if kind is not ClientKind.MACHINE and scopes.OPENID not in names:
        return [_("Must contain openid.")]
    return []


def _known(name: str) -> bool:
    return name in scopes.TEXTS


def _check_grants(grants: Collection[str], kind: ClientKind) -> list[str]:
    if not grants:
        return [_("Choose at least one.")]
    if denied := [grant for grant in grants if grant not in ALLOWED_GRANTS[kind]]:
        return [_("Not for clients of this kind: %(names)s.", names=", ".join(denied)[:200])]
    return []


def _check_token_auth(token_auth: str, kind: ClientKind) -> list[str]:
    if token_auth not in list(TokenAuth):
        return [_("Not one of %(values)s.", values=", ".join(TokenAuth))]
    if (token_auth != TokenAuth.NONE) is not (kind in CONFIDENTIAL):
        return [
            _("Clients of this kind have a secret.") if kind in CONFIDENTIAL else _("Must be none: it has no secret.")
        ]
    return []


def _check_pkce(values: Mapping[str, Any], kind: ClientKind) -> list[str]:
    if values["requires_pkce"] or kind is ClientKind.WEB:
        return []
    return [_("Only a web client may go without.")]
