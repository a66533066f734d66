"""`make stack`: runs what `compose.yaml` describes with programs that are installed on this machine.

It starts PostgreSQL, Redis, two app hosts, a Celery worker and beat, and nginx in front, all on loopback.
A server that ends is restarted. The database is deleted at the end. The tests in `tests/faults/stack/` use this module.
`high_availability.py` adds what survives the loss of a database host.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import processes
import psycopg
import redis
from processes import Server, ServiceFailed, ServiceMissing

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

HOSTS = ("app-1", "app-2")

#: Durable, as in production.
POSTGRESQL_SETTINGS = ("listen_addresses=", "fsync=on", "synchronous_commit=on", "max_connections=200")

#: Redis contains only counters and tasks, which may be lost.
REDIS_OPTIONS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxmemory", "256mb")


class Stack:
    """The servers of one deployment, in the order in which they start.

    A subclass chooses other servers for the database and for Redis.

    Args:
        folder: for their data; its path must be short, because that of a Unix socket is limited to about 100 bytes.
        port: where nginx listens; by default a free port.
        settings: of the service, in addition to those that connect the servers.
        base_environment: the other environment variables; by default those of this process.
    """

    #: The names of ports on loopback besides those of the app hosts and nginx.
    PORTS: tuple[str, ...] = ("redis",)

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        base_environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.ports = {name: processes.free_port() for name in (*self.PORTS, *HOSTS)}
        self.ports["nginx"] = port or processes.free_port()
        self.url = f"http://127.0.0.1:{self.ports['nginx']}"
        for place in (folder, self.logs, folder / "nginx"):
            place.mkdir(mode=0o711, exist_ok=True)
            place.chmod(0o711)
        self.environment = {**(base_environment or os.environ), **self._own_settings(), **(settings or {})}
        self.servers = {server.name: server for server in self._list_servers()}

    def __getitem__(self, name: str) -> Server:
        return self.servers[name]

    def host_url(self, name: str) -> str:
        """Return the origin of one app host, without nginx."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def database_url(self, role: str = "userapi", database: str = "userapi") -> str:
        """Return the URL of the database for a role: `userapi_owner`, `userapi` or `postgres`."""
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def start(self, announce: Callable[[str], object] = lambda name: None) -> None:
        """Start all servers.

        Raises:
            ServiceFailed: a server did not start.
        """
        for name, server in self.servers.items():
            if name == HOSTS[0]:
                announce("the database")
                self._prepare()
            announce(name)
            server.start()

    def stop(self) -> None:
        """Stop all servers, nginx first."""
        for server in reversed(self.servers.values()):
            server.stop()

    def superuser(self) -> tuple[str, str]:
        """Return email and password of the superuser that the first app host has created."""
        printed = dict(re.findall(r"^  (Email|Password) +(\S+)$", self[HOSTS[0]].log.read_text(), re.MULTILINE))
        return printed["Email"], printed["Password"]

    def flask(self, *arguments: str, role: str = "userapi", **variables: str) -> str:
        """Run a command of the service and return its output.

        Raises:
            ServiceFailed: the command failed.
        """
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), *arguments],
            env=self.environment | {"DATABASE_URL": self.database_url(role)} | variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceFailed(f"flask {' '.join(arguments)}:\n{done.stderr}")
        return done.stdout

    def _prepare(self) -> None:
        """Create the roles, and the tables as their owner. The first app host creates a key and a superuser."""
        with psycopg.connect(self.database_url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE userapi")
        with psycopg.connect(self.database_url("postgres"), autocommit=True) as connection:
            self._create_roles(connection)
        self.flask("db", "upgrade", role="userapi_owner")

    def _create_roles(self, connection: psycopg.Connection) -> None:
        connection.execute((HERE / "postgresql" / "roles.sql").read_text())

    def _own_settings(self) -> dict[str, str]:
        """Return the settings that connect the servers."""
        return {
            "PYTHONPATH": str(ROOT),
            "FLASK_SKIP_DOTENV": "1",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "JWT_KEY_DIR": str(self.folder / "keys"),
            "DATA_KEY_DIR": str(self.folder / "data_keys"),
            "DATABASE_URL": self.database_url(),
            "REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self.ports['redis']}/1",
            "SITE_URL": self.url,
            "TRUSTED_PROXIES": "1",
            "HOST": "127.0.0.1",
        }

    def _server(
        self, name: str, command: Iterable[str | Path], is_ready: Callable[[], bool], **options: object
    ) -> Server:
        values = {"environment": self.environment, "folder": self.folder} | options
        return Server(name, list(command), self.logs / f"{name}.log", is_ready, **values)  # type: ignore[arg-type]

    def _list_servers(self) -> Iterable[Server]:
        """Return the servers in the order in which they start."""
        return *self._stores(), *map(self._app_host, HOSTS), *self._celery(), self._nginx()

    def _stores(self) -> Iterable[Server]:
        """Return the servers that contain data, and those between them and the app hosts."""
        return self._postgresql(), self._redis()

    def _postgresql(self) -> Server:
        data = self.folder / "postgresql"
        data.mkdir(mode=0o700)
        programs = processes.postgresql_programs(self.folder)
        account = processes.account_for(data)
        if account:  # PostgreSQL creates its socket in the folder
            os.chown(self.folder, account["user"], -1)
        own = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"],
            check=True, stdout=subprocess.DEVNULL, env=own, cwd=data, **account,
        )  # fmt: skip
        return self._postgresql_server(programs, data, own, account)

    def _postgresql_server(
        self, programs: Path, data: Path, environment: Mapping[str, str], account: Mapping[str, object]
    ) -> Server:
        command: list[str | Path] = [programs / "postgres", "-D", data, "-k", self.folder]
        for setting in POSTGRESQL_SETTINGS:
            command += ["-c", setting]
        options = {"environment": environment, "folder": data, "stop_signal": signal.SIGINT, "account": account}
        return self._server("postgresql", command, self._database_is_ready, **options)

    def _database_is_ready(self) -> bool:
        try:
            psycopg.connect(self.database_url("postgres", "postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _redis(self) -> Server:
        port = self.ports["redis"]
        command: list[str | Path] = [processes.redis_program(), "--port", str(port), "--dir", self.folder]
        return self._server("redis", [*command, *REDIS_OPTIONS], lambda: redis_is_ready(port))

    def _app_host(self, name: str) -> Server:
        environment = self.environment | {"PORT": str(self.ports[name])}
        command = [sys.executable, "-m", "userapi.cli.run"]
        is_ready = lambda: processes.status(f"{self.host_url(name)}/readyz") == 200  # noqa: E731
        return self._server(name, command, is_ready, environment=environment)

    def _celery(self) -> tuple[Server, Server]:
        celery = [sys.executable, "-m", "celery", "--quiet", "--app", "userapi.worker"]
        worker = [*celery, "worker", "--concurrency", "2", "--without-gossip", "--without-mingle"]
        beat = [*celery, "beat", "--schedule", str(self.folder / "beat"), "--pidfile", ""]
        return (
            self._server("worker", worker, lambda: b" ready." in self["worker"].output()),
            self._server("beat", beat, lambda: any(self.folder.glob("beat*"))),
        )

    def _nginx(self) -> Server:
        program = processes.program("nginx", "nginx")
        values = {
            "FOLDER": str(self.folder),
            "APP_1": f"127.0.0.1:{self.ports[HOSTS[0]]}",
            "APP_2": f"127.0.0.1:{self.ports[HOSTS[1]]}",
            "LISTEN": f"127.0.0.1:{self.ports['nginx']}",
            "ACCESS_LOG": f"{self.logs}/nginx-access.log",
            "CONNECTIONS_PER_ADDRESS": "1000",  # all clients have the same IP address here
        }
        template = (HERE / "nginx" / "userapi.conf.template").read_text()
        (self.folder / "nginx" / "userapi.conf").write_text(fill_in(template, values))
        (self.folder / "nginx" / "nginx.conf").write_text(
            fill_in((HERE / "nginx" / "nginx.conf.template").read_text(), values)
        )
        command: list[str | Path] = [program, "-c", self.folder / "nginx" / "nginx.conf", "-p", self.folder]
        is_ready = lambda: processes.accepts(self.ports["nginx"])  # noqa: E731
        return self._server("nginx", command, is_ready, stop_signal=signal.SIGQUIT)


def fill_in(template: str, values: Mapping[str, str]) -> str:
    """Replace the variables of a template, as the entry point of the nginx image does."""
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda found: values[found[1]], template)


def redis_is_ready(port: int) -> bool:
    """Return whether a Redis or Sentinel responds on a loopback port."""
    with redis.Redis(port=port) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def main(kind: type[Stack] = Stack) -> None:
    """Run a stack until Ctrl-C."""
    port = int(os.environ.get("PORT", "8080"))
    if processes.accepts(port):
        sys.exit(f"userapi: PORT: {port} is in use. Choose another port: make stack PORT={port + 1}")
    for stop_signal in (signal.SIGINT, signal.SIGTERM):  # a shell ignores SIGINT for background jobs
        signal.signal(stop_signal, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="userapi-")).resolve()
    stack = None
    try:
        stack = kind(folder, port)
        stack.start(lambda name: print(f"Starting {name} …", flush=True))
        _announce(stack)
        _watch(stack)
    except KeyboardInterrupt:
        print("\nStopping …", flush=True)
    except ServiceMissing as error:
        sys.exit(f"userapi: {error}")
    except (ServiceFailed, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"userapi: {error}")
    finally:
        if stack is not None:
            stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _announce(stack: Stack) -> None:
    print("\nThe stack is running. Ctrl-C stops it and deletes its database.\n")
    for name, path in (("API", "/userapi/"), ("Docs", "/docs/"), ("Staff", "/admin/")):
        print(f"  {name:<12} {stack.url}{path}")
    email, password = stack.superuser()
    print(f"\n  Email        {email}\n  Password     {password}\n")
    for name, server in stack.servers.items():
        port = f"port {stack.ports[name]}" if name in stack.ports else ""
        print(f"  {name:<12} process {server.pid:<9} {port}".rstrip())
    print(f"\n  Logs         {stack.logs}\n", flush=True)


def _watch(stack: Stack) -> None:
    """Restart servers that have ended."""
    while True:
        time.sleep(1)
        for name, server in stack.servers.items():
            if server.exit_code is not None:
                print(f"{name} ended with exit code {server.exit_code}; restarting it", flush=True)
                with suppress(ServiceFailed):  # PostgreSQL does not start while old child processes run
                    server.start()


if __name__ == "__main__":
    main()
