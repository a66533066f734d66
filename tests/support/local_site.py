"""The running service at a host name, as passkeys need it, and passkeys in the virtual authenticator of a browser."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

import config
from tests.support import commands, http_server
from tests.support.browser import BrowserPage
from tests.support.databases import close_app
from tests.support.passkeys import add_passkey
from tests.support.virtual_authenticator import VirtualAuthenticator
from userapi.app import create_app


@dataclass
class LocalSite:
    """The running service at localhost, and an application over the same database."""

    url: str
    app: Flask


@contextmanager
def run_local_site(folder: Path, **settings: str) -> Iterator[LocalSite]:
    """Run the service with these settings."""
    port = str(processes.free_port())
    url = f"http://localhost:{port}"
    defaults = {"PORT": port, "SITE_URL": url, "RATELIMIT_ENABLED": "false", "WORKERS": "1"}
    environment = commands.environment(f"sqlite:///{folder}/site.db", folder, **defaults, **settings)
    with http_server.run_server(folder, environment):
        app = create_app(config.load(environment | {"MAIL_DELIVERY": "none"}))
        yield LocalSite(url, app)
        close_app(app)


def give_passkey(site: LocalSite, browser: BrowserPage, user_id: int, **changes: Any) -> VirtualAuthenticator:
    """Add a passkey to an account and to a virtual authenticator of the page; `changes` are those of its options."""
    passkey = add_passkey(site.app, user_id, origin=site.url).passkeys[0]
    virtual = VirtualAuthenticator(browser.page, **changes)
    key = passkey.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    virtual.call(
        "addCredential",
        credential={
            "credentialId": base64.b64encode(passkey.credential_id).decode(),
            "isResidentCredential": True,
            "rpId": "localhost",
            "privateKey": base64.b64encode(key).decode(),
            "userHandle": base64.b64encode(passkey.user_handle).decode(),
            "signCount": 0,
            "backupEligibility": True,
            "backupState": True,
        },
    )
    return virtual
