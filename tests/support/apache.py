"""Apache with mod_auth_openidc, which runs as an ordinary user in a temporary folder."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import processes
import pytest
from processes import ServiceMissing

#: Where Debian and Ubuntu keep the modules of Apache.
MODULES = Path("/usr/lib/apache2/modules")

#: What a configuration needs that protects an application behind a proxy.
NEEDED = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "proxy", "proxy_http", "auth_openidc")


@contextmanager
def apache(port: int, configuration: str) -> Iterator[None]:
    """Run Apache with a configuration. Without Apache the test is skipped, or fails in CI.

    Args:
        port: of 127.0.0.1, on which it listens.
        configuration: what its site needs besides the modules.
    """
    program = _find_program()
    with tempfile.TemporaryDirectory(prefix="apache-") as name:
        folder = Path(name)
        lines = [f"LoadModule {module}_module {MODULES}/mod_{module}.so" for module in NEEDED]
        lines += [f"Listen 127.0.0.1:{port}", "ServerName 127.0.0.1", f"DefaultRuntimeDir {folder}"]
        lines += [f"PidFile {folder}/apache.pid", f"ErrorLog {folder}/log", "StartServers 1", "ThreadsPerChild 4"]
        (folder / "apache.conf").write_text("\n".join([*lines, configuration]))
        (folder / "log").touch()
        server = processes.Server(
            name="Apache",
            command=[program, "-D", "FOREGROUND", "-d", folder, "-f", folder / "apache.conf"],
            log=folder / "log",
            is_ready=lambda: processes.accepts(port),
            environment=dict(os.environ),
            folder=folder,
            account=processes.account_for(folder),
        )
        server.start()
        try:
            yield
        finally:
            server.stop()


def _find_program() -> Path:
    """The path of Apache, whose module for OpenID Connect must be installed too."""
    try:
        program = processes.program("apache2", "apache2 libapache2-mod-auth-openidc")
        if not (MODULES / "mod_auth_openidc.so").exists():
            raise ServiceMissing("mod_auth_openidc is missing. Run: apt install libapache2-mod-auth-openidc")
    except ServiceMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    return program
