"""The errors of requests that this service does not answer as the replaced one did."""

from flask_babel import lazy_gettext

from userapi.core.problems import NotAcceptable, NotFound


class FormatNotAvailable(NotAcceptable):
    """Another format than JSON was requested in the query."""

    detail = lazy_gettext("The only format of responses is JSON. Omit ?format=, or send ?format=json.")


class NoFormatInPath(NotFound):
    """A path ends with the name of a format."""

    detail = lazy_gettext("Paths do not end with a format here. Omit the ending: /userapi/users/ returns JSON.")
