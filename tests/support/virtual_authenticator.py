"""Chromium's virtual authenticator, over the DevTools protocol, on a page of the service at localhost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import CDPSession, Page

OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
    "defaultBackupEligibility": True,
    "defaultBackupState": True,
}


class VirtualAuthenticator:
    """An authenticator of one page. It has to be there before the page opens.

    Args:
        page: the page.
        changes: to `OPTIONS`.
    """

    def __init__(self, page: Page, **changes: Any) -> None:
        self.cdp: CDPSession = page.context.new_cdp_session(page)
        self.cdp.send("WebAuthn.enable")
        self.id: str = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": {**OPTIONS, **changes}})[
            "authenticatorId"
        ]

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol, such as `setUserVerified`."""
        return self.cdp.send(f"WebAuthn.{method}", {"authenticatorId": self.id, **parameters})

    @property
    def credentials(self) -> list[dict[str, Any]]:
        """The passkeys that it has."""
        found: list[dict[str, Any]] = self.call("getCredentials")["credentials"]
        return found

    @contextmanager
    def without_user(self) -> Iterator[None]:
        """While no one touches it, so that requests wait."""
        self.call("setAutomaticPresenceSimulation", enabled=False)
        yield
        self.call("setAutomaticPresenceSimulation", enabled=True)
