"""The errors of passkeys."""

from typing import Any

from flask_babel import lazy_gettext

from userapi.core.problems import Problem


class InvalidPasskey(Problem):
    """One error for unknown passkeys, wrong signatures, used challenges and accounts that may not sign in."""

    status = 401
    code = "invalid_passkey"
    title = lazy_gettext("Invalid passkey")
    detail = lazy_gettext("This passkey was not accepted. Try again, or sign in another way.")

    def __init__(self, detail: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("WWW-Authenticate", 'Bearer realm="userapi"')


class PasskeyRefused(Problem):
    """The response of the browser to a request for a new passkey fails a check."""

    status = 400
    code = "passkey_refused"
    title = lazy_gettext("Passkey not accepted")
    detail = lazy_gettext("This passkey cannot be added. Request new options and try again.")


class PasskeyKnown(Problem):
    """The passkey was added before, to this account or another."""

    status = 409
    code = "passkey_known"
    title = lazy_gettext("Passkey already added")
    detail = lazy_gettext("This passkey was added before. Create a new one.")


class PasskeysUnavailable(Problem):
    """The site can have no passkeys, or does not offer this use of them."""

    status = 409
    code = "passkeys_unavailable"
    title = lazy_gettext("Passkeys not available")
    detail = lazy_gettext("This site does not accept passkeys for this action.")


class NoPasskey(Problem):
    """The account has no passkey."""

    status = 409
    code = "no_passkey"
    title = lazy_gettext("No passkey")
    detail = lazy_gettext("Your account has no passkey for this site.")
