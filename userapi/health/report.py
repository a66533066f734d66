"""What operators see, on the system page and from `flask doctor`: the health checks, and what only this host shows.

The texts are English, as the settings and the documents that they name. They may contain host names and paths, but no
secrets.
"""

import platform
from collections.abc import Callable, Iterable, Iterator

from flask import current_app

from userapi import VERSION

from . import checks, clocks, closed_accounts, extensions, keys, misspelt, settings
from .findings import Finding, failure, ok

Check = Callable[[], Iterable[Finding]]


def check_version() -> Iterator[Finding]:
    """The versions of the service and of Python."""
    yield ok("version", f"userapi {VERSION} on Python {platform.python_version()}")


def check_clients() -> Iterator[Finding]:
    """The clients of the OpenID provider."""
    if current_app.config["OPENID_PROVIDER"]:
        from . import clients  # without the setting, nothing of the provider is imported

        yield from clients.check()


#: The checks that take less than a second. `flask doctor` adds slower ones.
CHECKS: tuple[Check, ...] = (
    check_version,
    settings.check,
    misspelt.check,
    extensions.check,
    checks.run,
    keys.check,
    clocks.check,
    closed_accounts.check,
    check_clients,
)


def run(selected: Iterable[Check] = CHECKS) -> Iterator[Finding]:
    """The findings of checks. That a check fails is a finding, too."""
    for check in selected:
        try:
            yield from check()
        except Exception as error:
            subject = check.__module__.rpartition(".")[2]
            yield failure(subject, f"This check failed: {type(error).__name__}. This is a bug, please report it.")
