"""Checks of what is entered about a webhook."""

from collections.abc import Collection, Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.audit.names import is_known_pattern
from userapi.core.problems import ValidationFailed
from userapi.outbound import webhook_requests
from userapi.outbound.webhook_requests import MAX_URL_LENGTH, Error, NotAllowed

from .models import MAX_DESCRIPTION_LENGTH, WebhookSubscription

#: What bodies can include besides the event.
INCLUDABLE = ("user",)

#: The maximum number of actions and patterns of a webhook.
MAX_EVENTS = 100

MAX_EVENT_LENGTH: int = WebhookSubscription.__table__.c.pattern.type.length  # type: ignore[attr-defined]

#: Why a URL is rejected.
URL_ERRORS: Mapping[str, Any] = {
    Error.INVALID_URL: lazy_gettext("Enter a URL such as https://shop.example.com/webhooks/."),
    Error.HTTPS_REQUIRED: lazy_gettext("The URL must begin with https://."),
    Error.PORT_NOT_ALLOWED: lazy_gettext("This port is not allowed. WEBHOOK_PORTS lists the allowed ones."),
    Error.IP_ADDRESS_IN_URL: lazy_gettext("Enter a host name instead of an IP address."),
    Error.PRIVATE_IP_ADDRESS: lazy_gettext(
        "This host is not on the public internet. WEBHOOK_ALLOWED_NETWORKS lists other networks that are allowed."
    ),
}


def check_url(url: str) -> None:
    """Reject a URL that no request may be sent to.

    Raises:
        ValidationFailed: naming the field `url`.
    """
    if len(url) > MAX_URL_LENGTH:
        raise ValidationFailed(errors={"url": [_("Longer than maximum length %(max)s.", max=MAX_URL_LENGTH)]})
    try:
        webhook_requests.check_url(url)
    except NotAllowed as error:
        raise ValidationFailed(errors={"url": [URL_ERRORS.get(error.reason, URL_ERRORS[Error.INVALID_URL])]}) from error


def check_events(events: Collection[str]) -> None:
    """Reject actions and patterns that no event has.

    Kinds of action that are not the service's own are those of extensions, which name them freely.

    Raises:
        ValidationFailed: naming the field `events`.
    """
    if not events:
        raise ValidationFailed(errors={"events": [_("Choose at least one event.")]})
    if len(events) > MAX_EVENTS:
        raise ValidationFailed(errors={"events": [_("Choose at most %(max)s events.", max=MAX_EVENTS)]})
    unknown = [event for event in events if not _is_known(event)]
    if unknown:
        text = _("There is no event “%(name)s”. Use a name from the documentation, such as user.created, user.* or *.")
        raise ValidationFailed(errors={"events": [text % {"name": name} for name in unknown]})


def check_others(description: str, includes: Collection[str]) -> None:
    """Check the description and what bodies include.

    Raises:
        ValidationFailed: naming the field.
    """
    if len(description) > MAX_DESCRIPTION_LENGTH:
        text = _("Longer than maximum length %(max)s.", max=MAX_DESCRIPTION_LENGTH)
        raise ValidationFailed(errors={"description": [text]})
    if not set(includes) <= set(INCLUDABLE):
        raise ValidationFailed(errors={"include": [_("Only “user” can be included.")]})


def _is_known(event: str) -> bool:
    return len(event) <= MAX_EVENT_LENGTH and is_known_pattern(event)
