"""The account service and three small services that verify its tokens, each in its own processes."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx
import pytest
from processes import Server, accepts, free_port

import config
from tests.support import commands, http_server
from userapi_client.ended_sessions import EVENTS

SHOPS = {"flask": "wsgi", "fastapi": "asgi", "django": "wsgi"}


@dataclass
class Issuer:
    """The account service, which a test can stop and start again at the same URL."""

    folder: Path
    port: int = field(default_factory=free_port)
    running: ExitStack = field(default_factory=ExitStack)
    email: str = ""
    password: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        variables = {"PORT": str(self.port), "SITE_URL": self.url, "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
        environment = commands.environment(f"sqlite:///{self.folder}/accounts.db", self.folder, **variables)
        server = self.running.enter_context(http_server.run_server(self.folder, environment))
        self.email, self.password = server.email, server.password or self.password
        return self

    def stop(self) -> None:
        self.running.close()

    def sign_in(self, **body: Any) -> dict[str, Any]:
        """The tokens of a new session of the superuser."""
        sent = body or {"email": self.email, "password": self.password}
        response = httpx.post(f"{self.url}/api-token-auth/", json=sent)
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        return tokens

    def add_webhook(self, url: str) -> str:
        """Create a webhook; returns its secret."""
        token = self.sign_in()["access_token"]
        webhook = self.call("POST", "/userapi/webhooks/", token, json={"url": url, "events": list(EVENTS)}).json()
        secret: str = self.call("GET", f"/userapi/webhooks/{webhook['id']}/secret/", token).json()["secret"]
        return secret

    def call(self, method: str, path: str, token: str, **options: Any) -> httpx.Response:
        """A successful request with a token."""
        headers = {"Authorization": f"Bearer {token}"}
        response = httpx.request(method, f"{self.url}{path}", headers=headers, **options)
        assert response.is_success, response.text
        return response


class Shop(NamedTuple):
    """One of the small services."""

    url: str

    def get(self, path: str, token: str | None = None) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.url}/{path}", headers=headers, timeout=30)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kit-") as name:
        yield Path(name).resolve()


@pytest.fixture(scope="module")
def issuer(folder: Path) -> Iterator[Issuer]:
    issuer = Issuer(folder)
    with issuer.running:
        yield issuer.start()


@pytest.fixture(scope="module")
def shops(issuer: Issuer, folder: Path) -> Iterator[dict[str, Shop]]:
    """The three services, each with a webhook; its two processes share what they know of ended sessions."""
    servers = [_make_server(name, interface, issuer, folder) for name, interface in SHOPS.items()]
    try:
        for _shop, server in servers:
            server.start()
        yield dict(zip(SHOPS, (shop for shop, _server in servers), strict=True))
    finally:
        for _shop, server in servers:
            server.stop()


def _make_server(name: str, interface: str, issuer: Issuer, folder: Path) -> tuple[Shop, Server]:
    port = free_port()
    secret = issuer.add_webhook(f"http://127.0.0.1:{port}/webhooks")
    source = config.ROOT / "tests" / "kit" / "services"
    environment = commands.bare_environment(
        ISSUER=issuer.url, WEBHOOK_SECRET=secret, STORE=str(folder / f"{name}.db"),
        PYTHONPATH=f"{source}:{config.ROOT / 'clients' / 'python'}",
    )  # fmt: skip
    command = (
        sys.executable, "-m", "granian", "--interface", interface, "--port", str(port), "--workers", "2",
        f"{name}_shop:app",
    )  # fmt: skip
    server = Server(name, command, folder / f"{name}.log", lambda: accepts(port), environment, source)
    return Shop(f"http://127.0.0.1:{port}"), server


@pytest.fixture(params=list(SHOPS))
def shop(shops: dict[str, Shop], request: pytest.FixtureRequest) -> Shop:
    return shops[request.param]
