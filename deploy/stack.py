"""`make stack`: runs what `compose.yaml` describes with programs that are installed on this machine.

It starts PostgreSQL, Redis, two app hosts, a Celery worker and beat, and nginx in front, all on loopback.
A server that ends is restarted. The database is deleted at the end. The tests in `tests/faults/stack/` use this module.
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

#: The main configuration of nginx, which the nginx image has in a separate file.
NGINX = """\
daemon off;
worker_processes 2;
pid ${FOLDER}/nginx.pid;
error_log ${FOLDER}/logs/nginx.log warn;
events { worker_connections 1024; }
http {
    client_body_temp_path ${FOLDER}/nginx/body;
    proxy_temp_path ${FOLDER}/nginx/proxy;
    fastcgi_temp_path ${FOLDER}/nginx/fastcgi;
    uwsgi_temp_path ${FOLDER}/nginx/uwsgi;
    scgi_temp_path ${FOLDER}/nginx/scgi;
    include ${FOLDER}/nginx/userapi.conf;
}
"""

#: Durable, as in production.
POSTGRESQL_SETTINGS = ("listen_addresses=", "fsync=on", "synchronous_commit=on", "max_connections=200")


class Stack:
    """The servers of one deployment, in the order in which they start.

    Args:
        folder: for their data; its path must be short, because that of a Unix socket is limited to about 100 bytes.
        port: where nginx listens; by default a free port.
        settings: of the service, in addition to those that connect the servers.
        base_environment: the other environment variables; by default those of this process.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        base_environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.ports = {name: processes.free_port() for name in (*HOSTS, "redis")} | {
            "nginx": port or processes.free_port()
        }
        self.url = f"http://127.0.0.1:{self.ports['nginx']}"
        for place in (folder, self.logs, folder / "nginx"):
            place.mkdir(mode=0o711, exist_ok=True)
            place.chmod(0o711)
        self.environment = {**(base_environment or os.environ), **self._own_settings(), **(settings or {})}
        found = (self._postgresql(), self._redis(), *map(self._app_host, HOSTS), *self._celery(), self._nginx())
        self.servers = {server.name: server for server in found}

    def __getitem__(self, name: str) -> Server:
        return self.servers[name]

    def host_url(self, name: str) -> str:
        """Return the origin of one app host, without nginx."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def database_url(self, role: str = "userapi") -> str:
        """Return the URL of the database for a role: `userapi_owner`, `userapi` or `postgres`."""
        return f"postgresql://{role}@/userapi?host={self.folder}"

    def start(self, announce: Callable[[str], object] = lambda name: None) -> None:
        """Start all servers.

        Raises:
            ServiceFailed: a server did not start.
        """
        for name, server in self.servers.items():
            announce(name)
            server.start()
            if name == "redis":
                announce("the database")
                self._prepare()

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
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE userapi")
        with psycopg.connect(self.database_url("postgres"), autocommit=True) as connection:
            connection.execute((HERE / "postgresql" / "roles.sql").read_text())
        self.flask("db", "upgrade", role="userapi_owner")

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
        command: list[str | Path] = [programs / "postgres", "-D", data, "-k", self.folder]
        for setting in POSTGRESQL_SETTINGS:
            command += ["-c", setting]
        options = {"environment": own, "folder": data, "stop_signal": signal.SIGINT, "account": account}
        return self._server("postgresql", command, self._database_is_ready, **options)

    def _database_is_ready(self) -> bool:
        try:
            psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _redis(self) -> Server:
        port = self.ports["redis"]
        command: list[str | Path] = [
            processes.redis_program(),
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--dir",
            self.folder,
        ]
        command += ["--save", "", "--appendonly", "no", "--maxmemory", "256mb"]
        return self._server("redis", command, lambda: _redis_is_ready(port))

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
        (self.folder / "nginx" / "nginx.conf").write_text(fill_in(NGINX, values))
        command: list[str | Path] = [program, "-c", self.folder / "nginx" / "nginx.conf", "-p", self.folder]
        is_ready = lambda: processes.accepts(self.ports["nginx"])  # noqa: E731
        return self._server("nginx", command, is_ready, stop_signal=signal.SIGQUIT)


def fill_in(template: str, values: Mapping[str, str]) -> str:
    """Replace the variables of a template, as the entry point of the nginx image does."""
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda found: values[found[1]], template)


def _redis_is_ready(port: int) -> bool:
    with redis.Redis(port=port) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def main() -> None:
    """Run the stack until Ctrl-C."""
    port = int(os.environ.get("PORT", "8080"))
    if processes.accepts(port):
        sys.exit(f"userapi: PORT: {port} is in use. Choose another port: make stack PORT={port + 1}")
    for stop_signal in (signal.SIGINT, signal.SIGTERM):  # a shell ignores SIGINT for background jobs
        signal.signal(stop_signal, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="userapi-")).resolve()
    stack = None
    try:
        stack = Stack(folder, port)
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
