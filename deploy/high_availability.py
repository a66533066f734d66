"""`make stack HA=1`: the stack with a database, and a Redis, that survive the loss of a host.

Three nodes run etcd, Patroni and PostgreSQL each. HAProxy connects to the primary, PgBouncer shares these connections
among requests. Redis has a replica, and three Sentinels that promote it. The templates in `patroni/`, `haproxy/`,
`pgbouncer/` and `redis/` are also examples for real hosts; docs/guides/high-availability.md explains them.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import processes
import psycopg
import stack
from processes import Server
from psycopg import sql
from stack import HERE, Stack

NAMES = ("node-1", "node-2", "node-3")
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")

#: In seconds. `deploy/patroni/` says what they mean, and what real hosts should have.
TIMES = {"TTL": "10", "LOOP_WAIT": "1", "RETRY_TIMEOUT": "3"}


@dataclass(frozen=True)
class Node:
    """A host of the database.

    Attributes:
        name: its name in etcd and Patroni.
        address: its IP address.
        network: the IP addresses that may connect to it.
        enter: a command that runs another one on this host; nothing if that is this machine.
    """

    name: str
    address: str = "127.0.0.1"
    network: str = "127.0.0.1/32"
    enter: Sequence[str] = ()
    client_port: int = field(default_factory=processes.free_port)
    peer_port: int = field(default_factory=processes.free_port)
    rest_port: int = field(default_factory=processes.free_port)
    postgresql_port: int = field(default_factory=processes.free_port)

    @property
    def etcd(self) -> str:
        """The name of its member of etcd among the servers of the stack."""
        return f"etcd-{self.name}"


class Patroni(Server):
    """Patroni with its PostgreSQL, which runs in a session of its own and survives a killed Patroni."""

    def stop(self) -> int | None:
        """Stop both."""
        code = super().stop()
        if postmaster := self.postmaster():
            os.kill(postmaster, signal.SIGQUIT)
        return code

    def postmaster(self) -> int | None:
        """Return the process id of PostgreSQL, if it runs."""
        data = self.folder / "data"
        try:
            pid = int((data / "postmaster.pid").read_text().split()[0])
            return pid if Path(f"/proc/{pid}/cwd").samefile(data) else None
        except (OSError, ValueError, IndexError):
            return None


class HighlyAvailableStack(Stack):
    """The stack with three database nodes, and Redis with a replica.

    Args:
        nodes: the hosts of the database; by default three on loopback. The other arguments are those of `Stack`.
    """

    #: The first three are those of HAProxy and PgBouncer.
    PORTS = ("primary", "standbys", "redis", "pooler", "redis-1", "redis-2", *SENTINELS)

    def __init__(self, folder: Path, port: int | None = None, nodes: Iterable[Node] = (), **options: Any) -> None:
        self.nodes = {node.name: node for node in (tuple(nodes) or map(Node, NAMES))}
        self.passwords = {
            role: secrets.token_urlsafe(16)
            for role in ("postgres", "replicator", "patroni", "userapi", "userapi_owner")
        }
        super().__init__(folder, port, **options)

    # --- What runs where -----------------------------------------------------------------------------------

    def database_url(self, role: str = "userapi", database: str = "userapi") -> str:
        """Return the URL of the primary for a role, without the pooler."""
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.ports['primary']}/{database}"

    def node_url(self, name: str, role: str = "userapi") -> str:
        """Return the URL of the database on one node, whatever its role in the cluster."""
        node = self.nodes[name]
        return f"postgresql://{role}:{self.passwords[role]}@{node.address}:{node.postgresql_port}/userapi"

    def primary(self) -> str | None:
        """Return the name of the node that is the primary, by its own account."""
        urls = {name: f"http://{node.address}:{node.rest_port}/primary" for name, node in self.nodes.items()}
        return next((name for name, url in urls.items() if processes.status(url) == 200), None)

    def cluster(self) -> dict[str, dict[str, Any]]:
        """Return the nodes by name, as the primary describes them, with `role`, `state` and `timeline`."""
        name = self.primary()
        if name is None:
            return {}
        url = f"http://{self.nodes[name].address}:{self.nodes[name].rest_port}/cluster"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return {member["name"]: member for member in json.load(response)["members"]}
        except OSError:
            return {}

    def patronictl(self, *arguments: str) -> str:
        """Run a command of Patroni on this machine and return its output."""
        return subprocess.run(
            [processes.program("patronictl", "patroni"), *arguments], env=self.patronictl_environment(),
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    def patronictl_environment(self) -> dict[str, str]:
        """Return the environment variables with which `patronictl` finds the cluster."""
        return _system_environment() | {"PATRONICTL_CONFIG_FILE": str(self.patroni_configuration(NAMES[0]))}

    def _own_settings(self) -> dict[str, str]:
        pooler, standbys = (
            f"postgresql://userapi:{self.passwords['userapi']}@127.0.0.1:{self.ports[name]}/userapi"
            for name in ("pooler", "standbys")
        )
        own = {"DATABASE_URL": pooler, "DATABASE_POOLER": "transaction", "DATABASE_READ_URL": standbys}
        return super()._own_settings() | own

    def _create_roles(self, connection: psycopg.Connection) -> None:
        super()._create_roles(connection)
        for role in ("userapi", "userapi_owner"):
            password = sql.Literal(self.passwords[role])
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), password))

    def _stores(self) -> Iterable[Server]:
        programs = processes.postgresql_programs(self.folder)
        yield from map(self._etcd, self.nodes.values())
        yield from (self._patroni(node, programs) for node in self.nodes.values())
        yield from map(self._disk_watch, self.nodes.values())
        yield from (self._redis_server("redis-1"), self._redis_server("redis-2", "redis-1"))
        yield from map(self._sentinel, SENTINELS)
        yield self._haproxy()
        yield self._pgbouncer()

    # --- The servers ---------------------------------------------------------------------------------------

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _on_node(
        self, node: Node, name: str, command: Sequence[str | Path], is_ready: Callable[[], bool],
        kind: type[Server] = Server,
    ) -> Server:  # fmt: skip
        folder = self._folder(node.name)
        account = processes.account_for(folder)
        if node.enter and account:  # the command that enters the node needs root, the server must not have it
            drop = ["setpriv", f"--reuid={account['user']}", f"--regid={account['group']}", "--clear-groups"]
            command, account = [*node.enter, *drop, *command], {}
        log = self.logs / f"{name}.log"
        return kind(name, command, log, is_ready, _system_environment(), folder, account=account)

    def _etcd(self, node: Node) -> Server:
        client, peer = (f"http://{node.address}:{port}" for port in (node.client_port, node.peer_port))
        members = (f"{each.name}=http://{each.address}:{each.peer_port}" for each in self.nodes.values())
        command: list[str | Path] = [processes.program("etcd", "etcd-server"), "--name", node.name]
        command += ["--data-dir", self.folder / node.name / "etcd", "--logger", "zap", "--log-level", "warn"]
        command += ["--enable-v2", "--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        command += ["--initial-cluster", ",".join(members), "--initial-cluster-token", "userapi"]
        # The first member serves when the second has started, so none can wait for that.
        return self._on_node(node, node.etcd, command, lambda: processes.accepts(node.peer_port, node.address))

    def _patroni(self, node: Node, programs: Path) -> Server:
        values = TIMES | {
            "NAME": node.name,
            "ADDRESS": node.address,
            "NETWORK": node.network,
            "FOLDER": str(self.folder / node.name),
            "PROGRAMS": str(programs),
            "REST_PORT": str(node.rest_port),
            "POSTGRESQL_PORT": str(node.postgresql_port),
            "ETCD_HOSTS": ", ".join(f'"{each.address}:{each.client_port}"' for each in self.nodes.values()),
            "MAX_WAL_SIZE": "128MB",
            "REST_PASSWORD": self.passwords["patroni"],
            "SUPERUSER_PASSWORD": self.passwords["postgres"],
            "REPLICATION_PASSWORD": self.passwords["replicator"],
        }
        path = _fill_in("patroni/patroni.yml.template", self.patroni_configuration(node.name), values)
        command = [processes.program("patroni", "patroni"), path]
        url = f"http://{node.address}:{node.rest_port}/health"
        return self._on_node(node, node.name, command, lambda: processes.status(url) == 200, Patroni)

    def _disk_watch(self, node: Node) -> Server:
        """Return what makes another node the primary when the disk is almost full."""
        configuration, data = self.patroni_configuration(node.name), self.folder / node.name / "data"
        command: list[str | Path] = ["sh", HERE / "patroni" / "hand-over-when-full.sh", configuration, data, node.name]
        return self._on_node(node, f"disk-{node.name}", command, lambda: True)

    def patroni_configuration(self, name: str) -> Path:
        """Return the configuration file of a node, which `patronictl -c` needs."""
        return self.folder / name / "patroni.yml"

    def _haproxy(self) -> Server:
        servers = "\n".join(
            f"    server {node.name} {node.address}:{node.postgresql_port} check port {node.rest_port}"
            for node in self.nodes.values()
        )
        redis = "\n".join(f"    server {name} 127.0.0.1:{self.ports[name]} check" for name in ("redis-1", "redis-2"))
        values = {"SERVERS": servers, "REDIS_SERVERS": redis} | {
            name.upper(): f"127.0.0.1:{self.ports[name]}" for name in ("primary", "standbys", "redis")
        }
        path = _fill_in("haproxy/haproxy.cfg.template", self._folder("haproxy") / "haproxy.cfg", values)
        command: list[str | Path] = [processes.program("haproxy", "haproxy"), "-db", "-f", path]
        return self._server("haproxy", command, self._only_primary_is_ready)

    def _only_primary_is_ready(self) -> bool:
        """Return whether HAProxy has found the primary: until its first checks, it connects to the nodes in turn."""
        try:
            for _node in self.nodes:
                url = self.database_url("postgres", "postgres") + "?target_session_attrs=read-write&connect_timeout=3"
                psycopg.connect(url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _pgbouncer(self) -> Server:
        folder = self._folder("pooler")
        values = {
            "FOLDER": str(folder),
            "ADDRESS": "127.0.0.1",
            "PORT": str(self.ports["pooler"]),
            "HAPROXY_ADDRESS": "127.0.0.1",
            "HAPROXY_PORT": str(self.ports["primary"]),
        }
        (folder / "userlist.txt").write_text(f'"userapi" "{self.passwords["userapi"]}"\n')
        path = _fill_in("pgbouncer/pgbouncer.ini.template", folder / "pgbouncer.ini", values)
        command = [processes.program("pgbouncer", "pgbouncer"), path]
        is_ready = lambda: processes.accepts(self.ports["pooler"])  # noqa: E731
        options = {"folder": folder, "stop_signal": signal.SIGINT, "account": processes.account_for(folder)}
        return self._server("pooler", command, is_ready, environment=_system_environment(), **options)

    def _redis_server(self, name: str, primary: str | None = None) -> Server:
        port = self.ports[name]
        command: list[str | Path] = [processes.redis_program(), "--port", str(port), "--dir", self.folder]
        command += [*stack.REDIS_OPTIONS, "--repl-diskless-sync-delay", "0"]
        if primary:
            command += ["--replicaof", "127.0.0.1", str(self.ports[primary])]
        return self._server(name, command, lambda: stack.redis_is_ready(port))

    def _sentinel(self, name: str) -> Server:
        folder, port = self._folder(name), self.ports[name]
        values = {
            "ADDRESS": "127.0.0.1",
            "PORT": str(port),
            "FOLDER": str(folder),
            "REDIS_ADDRESS": "127.0.0.1",
            "REDIS_PORT": str(self.ports["redis-1"]),
        }
        path = _fill_in("redis/sentinel.conf.template", folder / "sentinel.conf", values)
        command = [processes.program("redis-sentinel", "redis-sentinel"), path]
        return self._server(name, command, lambda: stack.redis_is_ready(port), folder=folder)


def _fill_in(template: str, target: Path, values: Mapping[str, str]) -> Path:
    target.write_text(stack.fill_in((HERE / template).read_text(), values))
    target.chmod(0o600)  # it may contain passwords
    return target


def _system_environment() -> dict[str, str]:
    """Return the environment for programs of the system, which use the Python of the system."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PYTHON", "PATRONI"))}
    return kept | {"LC_ALL": "C.UTF-8"}


if __name__ == "__main__":
    if not sys.platform.startswith("linux"):
        sys.exit("userapi: HA: this needs Linux.")
    stack.main(HighlyAvailableStack)
