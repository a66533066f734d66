"""`make run`: from a bare checkout to a served address, the first time and every other.

What the environment does not set is made once and found again: a secret, a signing key, a database, a superuser.
"""

import fcntl
import gc
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import alembic.command
from flask import Flask, current_app
from flask_babel import gettext as _
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from werkzeug.utils import import_string

from userapi.core import folders, i18n
from userapi.core.context import command_line_context, use_acting_context
from userapi.core.db import db
from userapi.core.environment import ConfigurationError, Settings, describe_unusable_folder
from userapi.observability import metrics
from userapi.security import hashing_threads
from userapi.security.signing_keys import KeyRing
from userapi.settings import is_set, load_environment
from userapi.settings import load as load_settings
from userapi.users import accounts
from userapi.users.problems import EmailTaken

from . import APPLICATION, preflight
from .failures import EXPECTED, CannotStart, in_one_line, quietly
from .http_worker import work
from .listening import reserved
from .supervision import Supervisor

#: How long a client may take to send its headers, in milliseconds.
HEADER_TIMEOUT = 10_000

#: Connections that one worker holds open; more wait for their turn in the system's queue.
CONNECTIONS = 512

#: How long a stop waits for requests under way, in seconds.
LAST_REQUESTS = 10

#: How the folders begin that workers count in, and for how many seconds one may be there before it is held.
METRICS = "userapi-counts-"
YOUNG = 60

#: A folder that lies in memory, on Linux.
MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it is readable by its owner alone


def main() -> None:
    """Check the settings, take the port, prepare what is missing, say where the service is, and serve."""
    try:
        settings = load_settings(_environment_after_first_start())
        os.environ["SITE_URL"] = settings["SITE_URL"]
        preflight.check(settings)
        with reserved(settings["HOST"], settings["PORT"]) as ip, metrics_folder():
            _run(ip)
    except (ConfigurationError, CannotStart) as error:
        sys.exit(f"userapi: {error}")


def _environment_after_first_start() -> dict[str, str]:
    """The environment, with a secret even if none was made yet, and without what the last start has recorded."""
    values = load_environment()
    if values.get("SITE_URL_FILE") == str(Settings(values).last_site_url_file):
        del values["SITE_URL_FILE"]
    if not is_set(values, "SECRET_KEY"):
        values["SECRET_KEY"] = secrets.token_urlsafe(48)
    return values


def _run(ip: str) -> None:
    make_instance()
    app = load()
    record_site_url(app.config["SITE_URL"])
    with app.app_context():
        try:
            with quietly(), use_acting_context(command_line_context()):
                superuser = prepare()
        except EXPECTED as error:
            raise CannotStart(in_one_line(error)) from error
        announce(app, superuser)
        i18n.preload_locale_data()
        for engine in db.engines.values():
            engine.dispose()  # no worker may inherit a connection
        hashing_threads.get_hashing(app).shutdown_threads()  # nor count on a thread that it does not inherit
    sys.stdout.flush()
    serve(app, ip)


@contextmanager
def metrics_folder() -> Iterator[None]:
    """Let the workers count together, from nothing on: where the environment says, or in a folder made for them.

    One made for them lies in memory if it can: who writes to a mapped file on a full disk is killed.
    """
    configured = load_environment().get(metrics.FOLDER_SETTING)
    if configured:
        for path in Path(configured).glob("*.db"):
            path.unlink(missing_ok=True)
        yield
        return
    parent = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _sweep(parent)
    folder = tempfile.mkdtemp(prefix=METRICS, dir=parent)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # kept by this process and its workers
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.environ[metrics.FOLDER_SETTING] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _sweep(parent: Path) -> None:
    """Remove the folders of servers that were killed: their locks are free."""
    for folder in parent.glob(f"{METRICS}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < YOUNG:
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


def load() -> Flask:
    """The application."""
    app: Flask = import_string(APPLICATION)
    return app


def make_instance() -> None:
    """Make `instance/` and the one secret in it, as far as the environment tells no others."""
    values = load_environment()
    path = Settings(values).secret_file
    has_secret = is_set(values, "SECRET_KEY")
    if values.get("SECRET_KEY_FILE") == str(path):
        preflight.refuse_exposed(path)
    if has_secret and is_set(values, "DATABASE_URL"):
        return
    with alone_in(path.parent):
        if not has_secret and not path.exists():
            _write(path, secrets.token_urlsafe(48))


def record_site_url(url: str) -> None:
    """Write down SITE_URL for commands that use the same `instance/`, whatever port this start has."""
    values = load_environment()
    if values.get("SECRET_KEY_FILE") == str(Settings(values).secret_file):
        _write(Settings(values).last_site_url_file, url)


def _write(path: Path, text: str) -> None:
    """Write a whole file that only its owner can read, or nothing."""
    partial = path.with_suffix(".new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    partial.rename(path)


def prepare() -> str | None:
    """Make the first key, bring the database up to date, and open a superuser's account where there is none.

    Returns:
        The new superuser's password.
    """
    make_first_key(Path(current_app.config["JWT_KEY_DIR"]))
    alembic.command.upgrade(current_app.extensions["migrate"].migrate.get_config(), "head")
    password = secrets.token_urlsafe(15)
    try:
        opened = accounts.create_first_superuser(current_app.config["SUPERUSER_EMAIL"], password)
    except EmailTaken as error:
        raise CannotStart(
            "SUPERUSER_EMAIL: There is no superuser yet, and this email is already in use. Set another "
            "email, or run `flask users create-superuser`."
        ) from error
    db.session.commit()
    return password if opened else None


def make_first_key(folder: Path) -> None:
    """Make a signing key where there is none."""
    if not KeyRing(folder).all():
        with alone_in(folder):
            if not KeyRing(folder).all():  # another process may have been quicker
                KeyRing(folder).add()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a folder if need be, and let one process at a time work in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise CannotStart(
            describe_unusable_folder(folder, error, "SECRET_KEY, DATABASE_URL and JWT_KEY_DIR")
        ) from error


def announce(app: Flask, superuser_password: str | None) -> None:
    """Print where the service is, how to sign in as admin, and where emails go when no mail server is set.

    Args:
        app: the application.
        superuser_password: the new superuser's; None when there was a superuser before.
    """
    site, flask = app.config["SITE_URL"], _flask()
    pages = {_("Front page"): "/", _("API"): "/userapi/", _("API docs"): "/docs/", _("Staff site"): "/admin/"}
    print("", _("The user service is starting. Press Ctrl-C to stop it."), "", sep="\n")
    width = max(map(len, pages))
    print(*(f"  {name:<{width}}  {site}{path}" for name, path in pages.items()), "", sep="\n")
    if superuser_password is None:
        print(
            "  " + _("Lost the admin password? Set a new one: %(command)s", command=f"{flask} users set-password EMAIL")
        )
    else:
        print("  " + _("An admin account was created. Save the password now: it is shown only once."), "", sep="\n")
        for name, value in ((_("Email"), app.config["SUPERUSER_EMAIL"]), (_("Password"), superuser_password)):
            print(f"  {name:<{width}}  {value}")
    if not app.config["MAIL_SERVER"]:
        command = f"{flask} mail list"
        print(
            "",
            "  "
            + _("No mail server is set, so emails are stored and not sent. To list them: %(command)s", command=command),
            sep="\n",
        )
    print()


def _flask() -> str:
    """The command for everything else, of this environment, as it is typed in this folder."""
    command = Path(sys.executable).with_name("userapi" if folders.IS_INSTALLED else "flask")
    return str(command.relative_to(Path.cwd())) if command.is_relative_to(Path.cwd()) else command.name


def serve(app: Flask, ip: str) -> None:
    """Be the production server until it is stopped.

    The workers are forked with all code loaded, and share the memory that holds it. The garbage collector, which would
    write there, leaves it alone. Until granian lets a worker hear the signal that ends it, that signal has its usual
    effect; else a stop so soon would have to wait until the worker is killed.
    """
    threads = hashing_threads.get_hashing(app).reserve_threads(app, app.config["WORKER_THREADS"])
    gc.collect()
    gc.freeze()
    logging.getLogger("_granian").addFilter(_is_no_advice)
    os.register_at_fork(after_in_child=partial(signal.signal, signal.SIGTERM, signal.SIG_DFL))
    Supervisor(
        APPLICATION,
        address=ip,
        port=app.config["PORT"],
        interface=Interfaces.WSGI,
        workers=app.config["WORKERS"],
        blocking_threads=threads,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT),
        websockets=False,
        backpressure=CONNECTIONS,
        log_level=LogLevels.warning,
        respawn_interval=0.5,
        workers_kill_timeout=LAST_REQUESTS,
    ).serve(spawn_target=work, target_loader=load, wrap_loader=False)


def _is_no_advice(record: logging.LogRecord) -> bool:
    """Whether a line of granian's is more than its advice, at each start, on numbers that are set on purpose."""
    return not record.getMessage().startswith(("Configuration allows", "Configured number of"))


if __name__ == "__main__":
    main()
