"""Signs a user in to JupyterHub and pgAdmin by way of this service, configured as the guide says.

`make products` runs it with all of them; arguments name some. It needs the network and some minutes, because it
installs the products into a temporary folder, which it deletes in the end. `make test` does not run it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import quote

import processes
import requests

from tests.support import commands, http_server
from tests.support.factories import PASSWORD, new_user, sequence
from tests.support.guide_code import code_of
from tests.support.http_browser import HttpBrowser
from tests.support.registered_clients import register

GUIDE = "sign-in-to-your-apps.md"

EMAIL = "ada@example.com"


def say(what: str, seen: object = "") -> None:
    """Print a line of the report."""
    print(f"  {what}: {seen}" if seen != "" else what, flush=True)


def install(folder: Path, *packages: str) -> Path:
    """Create an environment with packages from the package index; its folder of programs."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    subprocess.run([programs / "pip", "install", "--quiet", *packages], check=True)
    listed = subprocess.run([programs / "pip", "list", "--format=json"], check=True, capture_output=True, text=True)
    versions = {each["name"].lower(): each["version"] for each in json.loads(listed.stdout)}
    say("installed", ", ".join(f"{name} {versions[name]}" for name in packages))
    return programs


@contextmanager
def running(name: str, command: list[str | Path], folder: Path, port: int, **environment: str) -> Iterator[None]:
    """Run a product until it is done with."""
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ["PATH"]])
    server = processes.Server(
        name=name,
        command=command,
        log=folder / "log",
        is_ready=lambda: processes.status(f"http://127.0.0.1:{port}/") == 200,
        environment={**commands.bare_environment(PATH=path), "PYTHONPATH": "", **environment},
        folder=folder,
    )
    server.start()
    try:
        yield
    except BaseException:
        print(server.output().decode(errors="replace")[-6000:])
        raise
    finally:
        server.stop()


def configure(client: dict[str, str], marker: str, shown: str, url: str) -> str:
    """The configuration of the guide for a client, with real URLs."""
    code = code_of(GUIDE, "python", marker)
    for example, used in {
        "https://accounts.example.com": client["issuer"], "the-client-id": client["client_id"],
        "the-client-secret": client["client_secret"], shown: url, quote(shown, safe=""): quote(url, safe=""),
    }.items():  # fmt: skip
        code = code.replace(example, used)
    return code


def make_other(provider: http_server.Server) -> HttpBrowser:
    """The browser of a user who is in no group and has not confirmed the email address."""
    other = new_user(email=f"other{next(sequence)}@example.com")
    requests.post(f"{provider.url}/userapi/users/", json=other, timeout=60).raise_for_status()
    browser = HttpBrowser(provider.url)
    browser.sign_in(str(other["email"]), PASSWORD)
    return browser


def try_jupyterhub(folder: Path, provider: http_server.Server, browser: HttpBrowser) -> None:
    """Sign in to JupyterHub, read who it says that the user is, and sign out."""
    programs = install(folder / "environment", "jupyterhub", "oauthenticator")
    npm = [processes.program("npm", "npm"), "install", "--silent", "--prefix", folder, "configurable-http-proxy"]
    subprocess.run(npm, check=True)
    port, proxy_port, hub_port = (processes.free_port() for _each in range(3))
    url = f"http://127.0.0.1:{port}"
    client = register(
        provider.environment, "--scope", "openid profile email groups", "--post-logout-redirect-uri", f"{url}/hub/home",
        redirect_uri=f"{url}/hub/oauth_callback",
    )  # fmt: skip
    more = f"""
c.JupyterHub.bind_url = "{url}"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.spawner_class = "simple"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = ["{folder}/node_modules/.bin/configurable-http-proxy"]
"""
    configuration = configure(client, "JupyterHub", "https://hub.example.com", url)
    (folder / "jupyterhub_config.py").write_text(configuration + more)
    with running("JupyterHub", [programs / "jupyterhub"], folder, port):
        page = browser.enter(f"{url}/hub/oauth_login?next=%2Fhub%2Fhome")
        say("after the sign-in", f"{page.status_code} {page.url}")
        say("is the user named", EMAIL in page.text)
        say("is the user an administrator by the group", 'href="/hub/admin"' in page.text)
        denied = make_other(provider).enter(f"{url}/hub/oauth_login?next=%2Fhub%2Fhome")
        say("a user who is in no group gets", denied.status_code)
        left = browser.leave(f"{url}/hub/logout")
        say("after signing out", f"{left.status_code} {left.url} -> {left.headers.get('Location', '')}")
        say("is the session here over", browser.get("/account/").is_redirect)


def try_pgadmin(folder: Path, provider: http_server.Server, browser: HttpBrowser) -> None:
    """Sign in to pgAdmin, read who it says that the user is, and sign out."""
    programs = install(folder / "environment", "pgadmin4")
    (package,) = (folder / "environment").glob("lib/python*/site-packages/pgadmin4")
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    client = register(
        provider.environment, "--post-logout-redirect-uri", f"{url}/", redirect_uri=f"{url}/oauth2/authorize"
    )
    more = f"""
SERVER_MODE = True
DEFAULT_SERVER = "127.0.0.1"
DEFAULT_SERVER_PORT = {port}
DATA_DIR = "{folder}/data"
"""
    more += "".join(
        f'{name} = "{folder}/data/{path}"\n'
        for name, path in {
            "LOG_FILE": "pgadmin.log", "SQLITE_PATH": "pgadmin.db", "SESSION_DB_PATH": "sessions",
            "STORAGE_DIR": "storage", "AZURE_CREDENTIAL_CACHE_DIR": "azure", "KERBEROS_CCACHE_DIR": "kerberos",
        }.items()
    )  # fmt: skip
    configuration = configure(client, "OAUTH2_CONFIG", "https://pgadmin.example.com", url)
    (package / "config_local.py").write_text(configuration + more)
    first = {"PGADMIN_SETUP_EMAIL": "first@example.com", "PGADMIN_SETUP_PASSWORD": PASSWORD}
    with running("pgAdmin", [programs / "pgadmin4"], folder, port, **first):
        page = enter_pgadmin(browser, url)
        say("after the sign-in", f"{page.status_code} {page.url}")
        shown = browser.session.get(f"{url}/browser/js/utils.js", timeout=60).text
        say("is the user named", EMAIL in page.text or EMAIL in shown)
        denied = enter_pgadmin(make_other(provider), url)
        say("a user whose address is not confirmed gets", f"{denied.status_code} {denied.url}")
        left = browser.leave(f"{url}/oauth2/logout")
        say("after signing out", f"{left.status_code} {left.url} -> {left.headers.get('Location', '')}")
        say("is the session here over", browser.get("/account/").is_redirect)


def enter_pgadmin(browser: HttpBrowser, url: str) -> requests.Response:
    """Press pgAdmin's button for a sign-in here, and allow it; the page that it leads to."""
    page = browser.session.get(f"{url}/login", timeout=60)
    found = re.search(r"csrfToken[^:]*: *[^A-Za-z0-9]+([\w.-]+)", unescape(page.text))
    assert found, page.text[-3000:]
    form = {"oauth2_button": "accounts", "csrf_token": found[1]}
    sent = browser.session.post(f"{url}/authenticate/login", data=form, allow_redirects=False, timeout=60)
    return browser.enter(browser.allow(sent.headers["Location"]))


PRODUCTS: dict[str, Callable[[Path, http_server.Server, HttpBrowser], None]] = {
    "jupyterhub": try_jupyterhub,
    "pgadmin": try_pgadmin,
}


def main() -> None:
    """Try the products that are named, or all."""
    folder = Path(tempfile.mkdtemp(prefix="products-"))
    try:
        environment = commands.environment(f"sqlite:///{folder / 'db.sqlite3'}", folder)
        with http_server.run_server(folder, environment) as provider:
            create = ("users", "create", "--email", EMAIL, "--first-name", "Ada", "--staff", "--password-stdin")
            done = commands.run(*commands.FLASK, *create, env=provider.environment, stdin=f"{PASSWORD}\n")
            assert done.code == 0, done.errors
            for name in sys.argv[1:] or PRODUCTS:
                say(name)
                (folder / name).mkdir()
                browser = HttpBrowser(provider.url)
                browser.sign_in(EMAIL, PASSWORD)
                discovery = requests.get(f"{provider.url}/.well-known/openid-configuration", timeout=30)
                say("issuer", discovery.json()["issuer"])
                PRODUCTS[name](folder / name, provider, browser)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
