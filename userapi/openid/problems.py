"""Errors of the provider: one with the shape of OAuth for programs, others for pages and rules."""

from collections.abc import Mapping

from flask_babel import lazy_gettext

from userapi.core.problems import NotFound, Problem


class OAuthError(Exception):
    """An error in the shape that OAuth clients expect (RFC 6749, sections 4.1.2.1 and 5.2).

    Attributes:
        error: the code, such as `invalid_grant`.
        description: what is wrong, in English, for developers: ASCII without quotes and backslashes.
        status: the HTTP status code, where the error is not sent by way of a browser.
        headers: of that response.
    """

    def __init__(
        self, error: str, description: str = "", status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
        self.headers = headers or {}

    @property
    def document(self) -> dict[str, str]:
        """The members of the response."""
        return {"error": self.error, **({"error_description": self.description} if self.description else {})}


class BadClientRequest(Problem):
    """A browser came with a request that must not be answered at the client, because the client is not certain."""

    code = "bad_client_request"
    title = lazy_gettext("This sign-in link does not work")
    detail = lazy_gettext("The application that sent you here made a mistake. Go back to it and tell its operator.")


class BadSignOutRequest(BadClientRequest):
    """The same of a request to sign out."""

    title = lazy_gettext("This sign-out link does not work")


class RequestExpired(Problem):
    """An authorization request was answered before, has expired, or belongs to another user."""

    status = 410
    code = "authorization_expired"
    title = lazy_gettext("This sign-in has expired")
    detail = lazy_gettext("Go back to the application and sign in there again.")


class ClientNotFound(NotFound):
    """There is no client with this id."""

    detail = lazy_gettext("There is no client with this ID.")


class ClientChanged(Problem):
    """Another staff member saved the client after it was read."""

    status = 409
    code = "changed_meanwhile"
    title = lazy_gettext("Changed by someone else")
    detail = lazy_gettext(
        "Someone else changed this client application while you edited it, so nothing was saved. "
        "Reload it, or overwrite their changes."
    )


class TooManyClients(Problem):
    """There are as many clients as there may be."""

    status = 409
    code = "too_many_clients"
    title = lazy_gettext("Too many clients")
    detail = lazy_gettext("There are as many clients as there may be. Delete one first.")


class NoSecret(Problem):
    """A public client has no secret."""

    status = 409
    code = "client_has_no_secret"
    title = lazy_gettext("No secret")
    detail = lazy_gettext("A client of this kind cannot keep a secret, so it has none.")


class UnknownDeviceCode(Problem):
    """No device waits with the code that a user typed."""

    status = 404
    code = "unknown_device_code"
    title = lazy_gettext("Unknown code")
    detail = lazy_gettext("No device waits with this code. Check it, or let the device show a new one.")
