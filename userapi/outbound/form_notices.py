"""Notices that are sent to other services as forms over HTTP."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from flask import Flask

from userapi.core import loopback

from . import http_client, notices
from .http_client import NotAllowed
from .limits import Unavailable
from .notices import Kind, NotAccepted

#: How long after it was queued a notice is tried.
MAX_AGE = timedelta(days=1)

#: The status with which receivers say that they will never accept a notice.
NEVER_ACCEPTED = 400

#: Makes the fields of a form of the content of a notice, again for each attempt, since they may expire.
MakeFields = Callable[[Mapping[str, Any]], Mapping[str, str]]


def register(app: Flask, name: str, make_fields: MakeFields, *, starts_when_needed: bool = False) -> None:
    """Send notices of a kind as forms to their URLs while the application serves.

    Args:
        app: the application.
        name: of the kind.
        make_fields: makes the fields of each attempt.
        starts_when_needed: as for `notices.Kind`.
    """

    def deliver(notice: sa.Row[Any]) -> None:
        """Send a notice.

        Raises:
            NotAccepted: the service did not accept it.
        """
        try:
            fields = make_fields(orjson.loads(notice.content))
            response = http_client.post_form(
                notice.url,
                fields,
                service=notice.service,
                may_be_loopback=loopback.is_development(),
                in_background=True,
            )
        except (Unavailable, NotAllowed) as error:
            raise NotAccepted(error.reason) from error
        if response.status >= 300:
            raise NotAccepted(f"status {response.status}", is_final=response.status == NEVER_ACCEPTED)

    notices.register(app, name, Kind(deliver, MAX_AGE, starts_when_needed=starts_when_needed))
