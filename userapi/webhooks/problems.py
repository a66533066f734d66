"""Errors of the rules about webhooks."""

from flask_babel import lazy_gettext

from userapi.core.problems import NotFound, Problem


class WebhookNotFound(NotFound):
    """There is no webhook with this id."""

    detail = lazy_gettext("There is no webhook with this ID.")


class DeliveryNotFound(NotFound):
    """The webhook has no delivery with this id."""

    detail = lazy_gettext("This webhook has no delivery with this ID.")


class TooManyWebhooks(Problem):
    """There are as many webhooks as there may be."""

    status = 409
    code = "too_many_webhooks"
    title = lazy_gettext("Too many webhooks")
    detail = lazy_gettext("There are as many webhooks as there may be. Delete one first.")


class WebhooksOff(Problem):
    """The service has no webhooks: WEBHOOKS is false."""

    status = 403
    code = "webhooks_off"
    title = lazy_gettext("Webhooks not available")
    detail = lazy_gettext("Webhooks are turned off on this site.")
