"""Redis with a replica and a Sentinel: counts and tasks after the primary is lost."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask
from processes import free_port, redis_program

from tests.support import commands
from tests.support.factories import make_account
from tests.support.waiting import wait_until
from userapi.security import redis_counters

pytestmark = pytest.mark.slow

#: The Sentinel decides alone, and soon.
CONFIGURATION = """\
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor accounts 127.0.0.1 {primary} 1
sentinel down-after-milliseconds accounts 300
sentinel failover-timeout accounts 2000
"""


class Servers:
    """A primary, its replica and a Sentinel.

    Attributes:
        url: of the primary that the Sentinel knows.
    """

    def __init__(self, folder: Path) -> None:
        self.ports = {name: free_port() for name in ("primary", "replica", "sentinel")}
        self.url = f"redis+sentinel://127.0.0.1:{self.ports['sentinel']}/accounts/1"
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            CONFIGURATION.format(port=self.ports["sentinel"], folder=folder, primary=self.ports["primary"])
        )
        common = ["--bind", "127.0.0.1", "--save", "", "--dir", str(folder), "--repl-diskless-sync-delay", "0"]
        commands_by_name: dict[str, list[str]] = {
            "primary": [str(redis_program()), "--port", str(self.ports["primary"]), *common],
            "replica": [
                *(str(redis_program()), "--port", str(self.ports["replica"]), *common),
                *("--replicaof", "127.0.0.1", str(self.ports["primary"])),
            ],
            "sentinel": [str(redis_program()), str(configuration), "--sentinel"],
        }
        self.processes = {
            name: subprocess.Popen(command, stdout=subprocess.DEVNULL) for name, command in commands_by_name.items()
        }
        wait_until(lambda: self._info("primary", "replication")["connected_slaves"] == 1)
        wait_until(lambda: self._info("replica", "replication")["master_link_status"] == "up")
        wait_until(lambda: self._info("sentinel", "sentinel").get("master0", {}).get("slaves") == 1)

    def client(self, name: str) -> redis.Redis:
        """A client of one server."""
        return redis.Redis(port=self.ports[name], db=0 if name == "sentinel" else 1)

    def fail_over(self) -> None:
        """Kill the primary and wait until the replica has its place."""
        self.processes["primary"].kill()
        wait_until(lambda: self._info("replica", "replication")["role"] == "master")

    def close(self) -> None:
        """Stop all servers."""
        for process in self.processes.values():
            process.send_signal(signal.SIGKILL)
            process.wait()

    def _info(self, name: str, section: str) -> dict[str, object]:
        try:
            with self.client(name) as client:
                return dict(client.info(section))
        except redis.ConnectionError:
            return {"connected_slaves": 0, "master_link_status": "", "role": ""}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """A primary, its replica and a Sentinel."""
    servers = Servers(tmp_path)
    yield servers
    servers.close()


def test_counts_continue_at_the_new_primary(
    servers: Servers, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_counters, "REDIS_COOLDOWN", 0.1)
    settings = {"RATELIMIT_ENABLED": "true", "REDIS_URL": servers.url, "RATELIMIT_SIGN_IN_PAIR": "6 per hour"}
    one, two = make_app(**settings), make_app(**settings)
    email = make_account(one)

    def guess(app: Flask, times: int) -> list[int]:
        body = {"email": email, "password": "wrong"}
        return [app.test_client().post("/api-token-auth/", json=body).status_code for _number in range(times)]

    assert guess(one, 3) == [401] * 3
    wait_until(lambda: len(servers.client("replica").keys()) == 3)
    servers.fail_over()
    assert guess(one, 1) == [401]
    wait_until(lambda: two.test_client().get("/readyz").get_json()["checks"]["redis"] == "ok")

    assert guess(two, 6)[-1] == 429
    assert servers.client("replica").keys()


def test_tasks_are_added_to_the_queue_of_the_new_primary(servers: Servers, tmp_path: Path) -> None:
    env = commands.environment(f"sqlite:///{tmp_path}/none.db", tmp_path, CELERY_BROKER_URL=servers.url)
    (tmp_path / "keys").mkdir()
    code = "from userapi.worker import celery; celery.send_task('userapi.prune')"

    def add_task() -> None:
        done = commands.run(sys.executable, "-c", code, env=env, cwd=tmp_path)
        assert done.code == 0, done.errors

    add_task()
    assert servers.client("primary").llen("userapi") == 1
    wait_until(lambda: servers.client("replica").llen("userapi") == 1)
    servers.fail_over()
    add_task()

    assert servers.client("replica").llen("userapi") == 2
