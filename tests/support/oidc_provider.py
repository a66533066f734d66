"""A certified OpenID provider (npm `oidc-provider`) that signs visitors in without asking them."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import processes
import requests

from tests.support.node import CLIENTS, node_with_modules

CLIENT_ID, CLIENT_SECRET = "userapi", "a secret of userapi at the provider"

ADA: Mapping[str, Any] = {
    "email": "ada@example.com",
    "email_verified": True,
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
}


@dataclass
class OidcProvider:
    """A provider that is running.

    Attributes:
        issuer: its issuer, as http://127.0.0.1:40123.
        process: its process, which a test may stop and continue.
        client_id: the id of our service there.
        client_secret: its secret.
    """

    issuer: str
    process: subprocess.Popen[str]
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET

    def settings(self, provider: str = "acme") -> dict[str, str]:
        """The settings of our service with this provider alone."""
        prefix = f"PROVIDER_{provider.upper()}"
        return {
            "PROVIDERS": provider,
            f"{prefix}_ISSUER": self.issuer,
            f"{prefix}_CLIENT_ID": self.client_id,
            f"{prefix}_CLIENT_SECRET": self.client_secret,
            "OUTBOUND_PRIVATE_HOSTS": "127.0.0.1",
        }

    def answer(self, **answer: str) -> None:
        """Sign later visitors in as `sub`, or send them back with an `error`."""
        requests.post(f"{self.issuer}/test/account?{urlencode(answer)}", timeout=10).raise_for_status()

    def visit(self, url: str, method: str = "GET") -> str:
        """Follow an authorization URL as a browser, and return the URL of our service that it leads back to."""
        with requests.Session() as browser:
            response = browser.request(method, url, allow_redirects=False, timeout=10)
            while response.is_redirect:
                target = requests.compat.urljoin(response.url, response.headers["Location"])
                if not target.startswith(self.issuer):
                    return str(target)
                response = browser.get(target, allow_redirects=False, timeout=10)
        raise AssertionError(f"The provider shows an error: {response.status_code} {response.text[:2000]}")


@contextmanager
def oidc_provider(
    redirect_uri: str,
    accounts: Mapping[str, Mapping[str, Any]] | None = None,
    client: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Iterator[OidcProvider]:
    """Start a provider, and stop it afterwards. Without Node or npm's packages the test is skipped, or fails in CI.

    Args:
        redirect_uri: the callback of our service.
        accounts: claims by subject; the first one signs in.
        client: further metadata of our service as a client (OpenID Connect Dynamic Client Registration, section 2);
            None removes a value.
        options: further options of the provider.
    """
    port = processes.free_port()
    registered = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uris": [redirect_uri]}
    configuration = {
        "port": port,
        "client": {name: value for name, value in {**registered, **(client or {})}.items() if value is not None},
        "accounts": accounts or {"ada": ADA},
        "options": options or {},
    }
    process = subprocess.Popen(
        [node_with_modules(), CLIENTS / "oidc_provider.mjs", json.dumps(configuration)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready", "the provider did not start"
        yield OidcProvider(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.communicate()
