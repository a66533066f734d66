"""What each kind of setting may hold.

A check raises `marshmallow.ValidationError`, whose text says what to write instead. Some checks also return the value
in the form that the service works with.
"""

import ipaddress
import re
from collections.abc import Sequence
from datetime import date
from email.utils import formataddr, parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from email_validator import EmailNotValidError
from limits import parse_many as parse_limits
from marshmallow import ValidationError

from .email_domains import is_in_domains, split_email
from .redis_urls import parse_sentinel_url

#: Words that show a secret was copied from an example.
EXAMPLE_SECRETS = re.compile(r"change.?me|secret.?key|example|insecure|default|password|django", re.IGNORECASE)

#: A host name (RFC 1123), or one of a container network, which may have underscores.
HOST_NAME = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")

#: A longer name would not fit into a header of a narrow page.
MAX_SITE_NAME_LENGTH = 60

DEFAULT_PORTS = {"http": 80, "https": 443}


#: How the URL of Celery's broker may begin, if no Sentinels watch it.
BROKER_SCHEMES = ("redis://", "rediss://", "amqp://", "amqps://")


def strong_secret(value: str) -> None:
    """A random text of 32 characters or more."""
    if len(value) < 32:
        raise ValidationError("Must have at least 32 characters. `make run` and `userapi run` create one in instance/.")
    if EXAMPLE_SECRETS.search(value) or len(set(value)) < 10:
        raise ValidationError("Must be a random secret; this looks like an example.")


def strong_secret_or_none(value: str) -> None:
    """A random text, or nothing."""
    if value:
        strong_secret(value)


def hmac_key_or_none(value: str) -> None:
    """A key for HS256, which needs 256 bits (RFC 7518, section 3.2), or nothing.

    A shorter one can be guessed from any token that it signed. Django begins the keys that it generates with
    `django-insecure-`, so words are not checked, as they are in the service's own secrets.
    """
    if value and (len(value.encode()) < 32 or len(set(value)) < 10):
        raise ValidationError("Must have at least 32 characters, because a shorter key can be guessed. Leave it unset.")


def api_key_prefix(value: str) -> None:
    """What the keys of a service begin with: no JSON Web Token does."""
    if not re.fullmatch(r"(?!ey)[a-z][a-z0-9_]{1,30}_", value):
        raise ValidationError("Must be 3 to 32 of a-z, 0-9 and _, begin with one of a-z and end with _.")


def host(value: str) -> str:
    """A host name or an IP address; a name beyond ASCII is returned as its A-label (RFC 5891)."""
    if value.startswith("["):
        raise ValidationError("Write an IPv6 address without brackets, such as ::1.")
    if is_ip_address(value):
        return value
    if not value.isascii():
        value = _ascii_domain(value)
    if not HOST_NAME.fullmatch(value):
        raise ValidationError("Not a host name or an IP address. Leave out http:// and the port.")
    return value


def host_or_none(value: str) -> str:
    """A host, or nothing."""
    return host(value) if value else ""


def is_ip_address(value: str) -> bool:
    """Whether a host is an IP address rather than a name."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _ascii_domain(domain: str) -> str:
    try:
        return split_email(f"a@{domain}", is_intranet=True)[1]
    except EmailNotValidError as error:
        raise ValidationError("Not a host name or an IP address.") from error


def origin(value: str) -> str:
    """An origin as a browser sends it (RFC 6454, section 6.2): lower case, ASCII, without the scheme's own port."""
    url = base_url(value)
    path = urlsplit(url).path
    if path:
        raise ValidationError(f"Must be an origin, without a path: remove {path}.")
    return url


def origin_or_none(value: str) -> str:
    """An origin, or nothing."""
    return origin(value) if value else ""


def origins(values: list[str]) -> list[str]:
    """Several origins."""
    return [origin(value) for value in values]


def base_url(value: str) -> str:
    """An HTTP URL that paths can be added to, without a slash at its end."""
    refused = ValidationError("Not a URL such as https://accounts.example.com.")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise refused from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or "?" in value or "#" in value:
        raise refused
    name = host(parts.hostname).lower()
    name = f"[{name}]" if ":" in name else name
    suffix = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{name}{suffix}{parts.path.rstrip('/')}"


def base_url_or_none(value: str) -> str:
    """An HTTP URL, or nothing."""
    return base_url(value) if value else ""


def sender_or_none(value: str) -> str:
    """One email with or without a name in front, its domain in ASCII; or nothing."""
    if not value:
        return ""
    name, email = parseaddr(value)
    is_whole = "<" in value or email == value.strip()  # parseaddr drops what follows a blank
    if value.count("@") != 1 or not email.partition("@")[2] or not (name + email).isprintable() or not is_whole:
        raise ValidationError("Not an email address such as no-reply@example.com or Example <no-reply@example.com>.")
    try:
        local, domain = split_email(email, is_intranet=True, allow_domain_literal=True)
    except EmailNotValidError as error:
        raise ValidationError(f"Not an email address that a mail server accepts. {error}") from error
    if not local.isascii():
        raise ValidationError("Only ASCII characters are allowed before the @.")
    return value if email.isascii() else formataddr((name, f"{local}@{domain}"))


def plain_email_or_none(value: str) -> str:
    """An email address without a name, its domain in ASCII; or nothing."""
    email = sender_or_none(value)
    if "<" in email or any(character.isspace() for character in email):
        raise ValidationError("Not an email address such as help@example.com.")
    return email


def default_sender(site: str, site_name: str) -> str:
    """The sender of emails where none is set: of the site's domain, or of its address literal (RFC 5321, 4.1.3)."""
    name = urlsplit(site).hostname or ""
    if is_ip_address(name):
        name = f"[IPv6:{name}]" if ":" in name else f"[{name}]"
    return formataddr((site_name, f"no-reply@{name}"))


def domains(values: list[str]) -> tuple[str, ...]:
    """Domains of emails, in ASCII and lower case, without a period at either end."""
    return tuple(host(value.strip().strip(".")).lower() for value in values)


def account_email(value: str, intranet: Sequence[str]) -> None:
    """An email that an account may have.

    Args:
        value: the email.
        intranet: domains that are taken although mail from elsewhere cannot reach them.
    """
    if not value.rpartition("@")[0].isascii():
        raise ValidationError("Only ASCII characters are allowed before the @.")
    try:
        split_email(value, is_intranet=is_in_domains(value.rpartition("@")[2], intranet), strict=True)
    except EmailNotValidError as error:
        raise ValidationError(f"{str(error).rstrip('.')} ({value}).") from error


def site_name_or_none(value: str) -> str:
    """A short name in one line, or nothing."""
    name = " ".join(value.split())
    if len(name) > MAX_SITE_NAME_LENGTH:
        raise ValidationError(f"Must have at most {MAX_SITE_NAME_LENGTH} characters.")
    if not name.isprintable():
        raise ValidationError("Must not contain control characters.")
    return name


def issuer_or_none(value: str) -> None:
    """A name that authenticator apps show, or nothing; they separate it from the account by a colon."""
    if ":" in value or not value.isprintable() or len(value) > MAX_SITE_NAME_LENGTH:
        raise ValidationError(f"Must have at most {MAX_SITE_NAME_LENGTH} characters, and no colon.")


def date_or_none(value: str) -> date | None:
    """The day of an ISO 8601 date such as 2026-12-31; None for an empty text."""
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise ValidationError("Must be a date such as 2026-12-31.") from None


def color_or_none(value: str) -> str:
    """A colour such as `#0f766e`, in lower case and with six digits, of which CSS allows to write three; or nothing."""
    if value and not re.fullmatch(r"#(?:[0-9a-f]{3}){1,2}", value, re.IGNORECASE | re.ASCII):
        raise ValidationError("Not a color such as #0f766e.")
    digits = value.lower().removeprefix("#")
    return value and "#" + ("".join(digit * 2 for digit in digits) if len(digits) == 3 else digits)


def folder_or_none(value: str) -> None:
    """A folder that exists, or nothing."""
    if value and not Path(value).is_dir():
        raise ValidationError("This folder does not exist.")


def limit(value: str) -> None:
    """One throttle."""
    try:
        only, *others = parse_limits(value)
    except ValueError:
        raise ValidationError("Not a limit such as 10 per 5 minutes.") from None
    if others or only.amount < 1:
        raise ValidationError("Must be a single limit of at least 1, such as 10 per 5 minutes.")


def redis_url_or_none(value: str) -> None:
    """Where Redis is, or nothing."""
    if not parse_sentinel_url(value) and value and not value.startswith(("redis://", "rediss://", "redis+unix://")):
        raise ValidationError("Not a Redis URL such as redis://127.0.0.1:6379/0.")


def broker_url_or_none(value: str) -> None:
    """Where Celery's broker is, or nothing."""
    if not parse_sentinel_url(value) and value and not value.startswith(BROKER_SCHEMES):
        raise ValidationError("Not a broker URL such as redis://127.0.0.1:6379/1 or amqp://user@host/userapi.")


def table_name(value: str) -> None:
    """Check the name of a table."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value):
        raise ValidationError("Use at most 63 characters: a to z, 0 to 9 and _.")
