"""An issuer on loopback whose keys and behaviour a test decides, and a clock that a test moves."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm


class Key:
    """A signing key of the issuer."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private = ec.generate_private_key(ec.SECP256R1())
        members = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        self.jwk = {**members, "kid": kid, "alg": "ES256", "use": "sig"}


class Clock:
    """A time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """Serves the public keys of `keys`.

    Attributes:
        keys: those that are served.
        fetches: the number of requests.
        answers: cleared, it lets requests wait until it is set again.
        status: of the responses.
        body: what is served instead of the keys, if set.
    """

    def __init__(self) -> None:
        self.keys = [Key("first")]
        self.fetches = 0
        self.answers = threading.Event()
        self.answers.set()
        self.status, self.body = 200, b""
        self.url = ""

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a valid token, with changes; None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": "userapi", "type": "access", "sub": "18", "sid": str(uuid.uuid4()),
            "jti": str(uuid.uuid4()), "iat": now, "nbf": now, "exp": now + 900, "acr": "aal1", "amr": ["pwd"],
            "auth_time": now, "csrf": "x", "fresh": False,
        } | changes  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key: Key | None = None, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token of the issuer."""
        key = key or self.keys[0]
        return jwt.encode(self.claims(**changes), key.private, "ES256", headers={"kid": key.kid, **(headers or {})})


@contextmanager
def run_issuer() -> Iterator[Issuer]:
    """Run an issuer on loopback."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches += 1
            issuer.answers.wait(30)
            body = issuer.body or json.dumps({"keys": [key.jwk for key in issuer.keys]}).encode()
            self.send_response(200 if self.path == "/elsewhere" else issuer.status)
            self.send_header("Content-Length", str(len(body)))
            if issuer.status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield issuer
    finally:
        issuer.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()
