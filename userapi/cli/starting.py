"""Prepares a checkout if necessary and starts the service.

The secret, signing key, database and superuser that the environment does not set are created at the first start.
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

from flask import Flask, current_app
from flask_babel import gettext as _
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from werkzeug.utils import import_string

from userapi.core import folders, i18n, migrations
from userapi.core.context import command_line_context, use_acting_context
from userapi.core.db import db
from userapi.core.environment import ConfigurationError, Settings, describe_unusable_folder
from userapi.observability import metrics
from userapi.outbound import http_client
from userapi.security import hashing_threads
from userapi.security.signing_keys import KeyRing
from userapi.settings import is_set, load_environment
from userapi.settings import load as load_settings
from userapi.users import accounts, permission_names
from userapi.users.problems import EmailTaken

from . import APPLICATION, preflight
from .failures import CannotStart, expected, in_one_line, quietly
from .http_worker import work
from .listening import reserved
from .supervision import Supervisor

#: The time limit for the headers of a request, in milliseconds.
HEADER_TIMEOUT = 10_000

#: Maximum open connections per worker; more wait in the kernel's backlog.
MAX_CONNECTIONS = 512

#: The seconds that a stop waits for running requests.
SHUTDOWN_TIMEOUT = 10

#: The prefix of temporary metrics folders, and the seconds for which a new one may not be locked yet.
METRICS_FOLDER_PREFIX = "userapi-counts-"
MIN_STALE_AGE = 60

#: A folder in memory, on Linux.
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - what is made in it is readable by its owner alone


def main() -> None:
    """Check the settings, reserve the port, create what is missing, print the URL, and serve."""
    try:
        settings = load_settings(_environment_for_checks())
        os.environ["SITE_URL"] = settings["SITE_URL"]
        preflight.check(settings)
        with reserved(settings["HOST"], settings["PORT"]) as ip, metrics_folder():
            _run(ip)
    except (ConfigurationError, CannotStart) as error:
        sys.exit(f"userapi: {error}")


def _environment_for_checks() -> dict[str, str]:
    """The environment for the checks before a start.

    It has a temporary secret key if none exists yet, and not the SITE_URL that the last start stored.
    """
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
        except expected() as error:
            raise CannotStart(in_one_line(error)) from error
        announce(app, superuser)
        i18n.preload_locale_data()
        for engine in db.engines.values():
            engine.dispose()  # no worker may inherit a connection,
        hashing_threads.get_hashing(app).shutdown_threads()  # and threads do not survive the fork
    sys.stdout.flush()
    serve(app, ip)


@contextmanager
def metrics_folder() -> Iterator[None]:
    """Give the workers one metrics folder, empty at the start: the configured one, or a temporary one.

    A temporary one is in memory if possible: writing to a memory-mapped file on a full disk kills the process (SIGBUS).
    """
    configured = load_environment().get(metrics.FOLDER_SETTING)
    if configured:
        for path in Path(configured).glob("*.db"):
            path.unlink(missing_ok=True)
        yield
        return
    parent = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else Path(tempfile.gettempdir())
    _delete_stale_folders(parent)
    folder = tempfile.mkdtemp(prefix=METRICS_FOLDER_PREFIX, dir=parent)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # kept by this process and its workers
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.environ[metrics.FOLDER_SETTING] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _delete_stale_folders(parent: Path) -> None:
    """Delete the metrics folders that no server has locked: their servers were killed."""
    for folder in parent.glob(f"{METRICS_FOLDER_PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < MIN_STALE_AGE:
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
    """Create `instance/` and the secret key in it, unless the environment sets SECRET_KEY and DATABASE_URL."""
    values = load_environment()
    path = Settings(values).secret_file
    has_secret = is_set(values, "SECRET_KEY")
    if values.get("SECRET_KEY_FILE") == str(path):
        preflight.refuse_exposed(path)
    if has_secret and is_set(values, "DATABASE_URL"):
        return
    with locked_folder(path.parent):
        if not has_secret and not path.exists():
            _write(path, secrets.token_urlsafe(48))


def record_site_url(url: str) -> None:
    """Store SITE_URL for commands that use the same `instance/`, whatever port this start has."""
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
    """Create the first signing key, migrate the database, and create a superuser if there is none.

    Returns:
        The new superuser's password.
    """
    make_first_key(Path(current_app.config["JWT_KEY_DIR"]))
    if needs_migrations():
        from alembic import command  # not loaded by every start

        command.upgrade(current_app.extensions["migrate"].migrate.get_config(), "heads")
    password = secrets.token_urlsafe(15)
    try:
        created = accounts.create_first_superuser(current_app.config["SUPERUSER_EMAIL"], password)
    except EmailTaken as error:
        raise CannotStart(
            "SUPERUSER_EMAIL: There is no superuser yet, and this email is already in use. Set another "
            "email, or run `flask users create-superuser`."
        ) from error
    db.session.commit()
    return password if created else None


def needs_migrations() -> bool:
    """Whether a migration is pending, or an extension may bring permissions, which are inserted after migrations."""
    has_own_permissions = permission_names.get_every_permission() != permission_names.EVERYTHING
    return has_own_permissions or not migrations.is_current()


def make_first_key(folder: Path) -> None:
    """Create a signing key if there is none."""
    if not KeyRing(folder).all():
        with locked_folder(folder):
            if not KeyRing(folder).all():  # another process may have created one in the meantime
                KeyRing(folder).add()


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Create a folder if necessary, and lock it for one process."""
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
    """Print the URL, how to sign in as admin, and where to find emails if no mail server is set.

    Args:
        app: the application.
        superuser_password: of the new superuser; None if one existed before.
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
    """The path of the `flask` (or `userapi`) command of this environment, relative to this folder if possible."""
    command = Path(sys.executable).with_name("userapi" if folders.IS_INSTALLED else "flask")
    return str(command.relative_to(Path.cwd())) if command.is_relative_to(Path.cwd()) else command.name


def serve(app: Flask, ip: str) -> None:
    """Run the production server until it is stopped.

    The workers are forked with all code loaded and share its memory, so the garbage collector must not write there. It
    was off until now, and does not search what is loaded: it would find less than a hundredth of it.
    SIGTERM keeps its default effect until granian has installed its handler in a worker; otherwise a stop during
    start-up would wait for the kill timeout.
    """
    waiting = http_client.get_limits(app).requests
    threads = hashing_threads.get_hashing(app).reserve_threads(app, app.config["WORKER_THREADS"], waiting)
    gc.freeze()
    gc.enable()
    logging.getLogger("_granian").addFilter(_is_not_advice)
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
        backpressure=MAX_CONNECTIONS,
        log_level=LogLevels.warning,
        respawn_interval=0.5,
        workers_kill_timeout=SHUTDOWN_TIMEOUT,
    ).serve(spawn_target=work, target_loader=load, wrap_loader=False)


def _is_not_advice(record: logging.LogRecord) -> bool:
    """Drop granian's tuning advice from the log: our numbers are deliberate."""
    return not record.getMessage().startswith(("Configuration allows", "Configured number of"))
