"""The simulated provider over real HTTP, so that the service uses its own client, limits and timeouts."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import processes
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tests.support.app_config import app_config
from tests.support.fake_provider import CLIENT_ID, FakeProvider
from userapi.outbound.limits import Limits


class _Silent(WSGIRequestHandler):
    def log(self, *_arguments: object) -> None:
        """Write nothing."""


def settings_for(issuer: str, provider_id: str = "acme", **settings: str) -> dict[str, str]:
    """The settings of a service with this provider on this machine.

    Args:
        issuer: of the provider.
        provider_id: its id.
        settings: further settings of the provider, without its prefix.
    """
    prefix = f"PROVIDER_{provider_id.upper()}_"
    usual = {"ISSUER": issuer, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": "not so secret", "TRUSTS_EMAIL": "true"}
    return {
        "SITE_URL": "http://localhost",
        "PROVIDERS": provider_id,
        "OUTBOUND_PRIVATE_HOSTS": "127.0.0.1",
        **{prefix + name: value for name, value in (usual | settings).items()},
    }


def use_providers(app: Flask, **settings: str) -> Flask:
    """Give a shared application other providers, with nothing remembered about earlier ones."""
    loaded = app_config(app.config["DATABASE_URL"], app.config["JWT_KEY_DIR"], **settings)
    app.config.update({name: loaded[name] for name in ("SITE_URL", "PROVIDERS", "OUTBOUND_PRIVATE_HOSTS")})
    app.extensions.pop("userapi-provider-metadata", None)
    app.extensions["userapi-outbound"] = Limits(app.config["OUTBOUND_CONCURRENCY"])
    return app


@contextmanager
def misbehaving_provider() -> Iterator[FakeProvider]:
    """Serve a provider on this machine; a test changes its attributes while it runs."""
    port = processes.free_port()
    provider = FakeProvider(issuer=f"http://127.0.0.1:{port}")
    server = make_server("127.0.0.1", port, _application(provider), threaded=True, request_handler=_Silent)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


def _application(provider: FakeProvider) -> Callable[..., object]:
    @Request.application
    def application(request: Request) -> Response:
        authorization = request.authorization
        user = (authorization.username, authorization.password) if authorization else None
        if request.method == "POST":
            answer = provider.post_form(request.base_url, request.form.to_dict(), service="", basic_auth=user)
        else:
            answer = provider.get(request.base_url, service="", headers=dict(request.headers))
        return Response(answer.body, answer.status, mimetype="application/json")

    return application
