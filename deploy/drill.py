"""`make drill`: restores a database to a moment, with the commands of docs/guides/restore-to-a-moment.md.

It starts PostgreSQL and the service on loopback, and uses the service: accounts are created, deleted and closed,
sessions ended, tokens used and keys revoked, before and after the moment. Then it runs the guide, and checks what
clients can do. Nothing is left at the end.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from drill_accounts import Accounts, Finding
from processes import Server, ServiceFailed, ServiceMissing
from stack import HOSTS, ROOT, Stack

GUIDE = ROOT / "docs" / "guides" / "restore-to-a-moment.md"

#: The sections of the guide, in the order in which they are run.
SET_UP, BASE_BACKUP, RESTORE = "Set up the archive", "Make a base backup, every day", "Restore"

#: The service needs no strong hashes here, and has no mail server.
SETTINGS = {
    "PASSWORD_HASH_MEMORY": "8", "PASSWORD_HASH_TIME": "1", "WORKERS": "1", "MAIL_DELIVERY": "none",
    "RATELIMIT_ENABLED": "false",
}  # fmt: skip


class Result(NamedTuple):
    """The outcome of a drill: the seconds that each step took, in order, and what was found."""

    seconds: dict[str, float]
    findings: list[Finding]


def read_commands(guide: str, section: str) -> list[str]:
    """Read the commands of a section of the guide: `$` begins one, a backslash continues it."""
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", guide, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^( +)\$ ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    return [textwrap.dedent(indent + command) for indent, command in found]


class SmallStack(Stack):
    """PostgreSQL and one app host."""

    PORTS = ("redis",)

    def _list_servers(self) -> Iterable[Server]:
        return self._postgresql(), self._app_host(HOSTS[0])

    def _own_settings(self) -> dict[str, str]:
        self.url = self.host_url(HOSTS[0])
        found = super()._own_settings() | {"TRUSTED_PROXIES": "0"}
        return {name: value for name, value in found.items() if name not in ("REDIS_URL", "CELERY_BROKER_URL")}

    def use_data(self, data: Path) -> None:
        """Let PostgreSQL use another folder from the next start."""
        server = self["postgresql"]
        command = [data if part == server.folder else part for part in server.command]
        self.servers["postgresql"] = Server(
            server.name, command, server.log, server.is_ready, server.environment, data, server.stop_signal,
            server.account,
        )  # fmt: skip


class Drill:
    """One drill.

    Args:
        folder: for all data; its path must be short.
        users: the number of accounts that are created before the base backup, before the moment and after it.
        say: prints a line.
        base_environment: as for `Stack`.
    """

    def __init__(
        self,
        folder: Path,
        users: int,
        say: Callable[[str], object] = print,
        base_environment: Mapping[str, str] | None = None,
    ) -> None:
        self.stack = SmallStack(folder, settings=SETTINGS, base_environment=base_environment)
        self.users = users
        self.seconds: dict[str, float] = {}
        self._say = say
        self._variables = {
            "BACKUPS": str(folder / "backups"),
            "BASE": str(folder / "backups" / "base"),
            "RESTORED": str(folder / "restored"),
        }

    def run(self) -> Result:
        """Run the drill."""
        try:
            return self._run()
        finally:
            self.stack.stop()

    def _run(self) -> Result:
        guide = GUIDE.read_text()
        with self._step("start the database and the service"):
            self.stack.start()
        with self._step("set up the archive"):
            self._follow(read_commands(guide, SET_UP))
        url, database_url = self.stack.url, self.stack.database_url("postgres")
        self.accounts = Accounts(url, database_url, self.stack.superuser(), self.users)
        self.accounts.register_some("early")
        with self._step("base backup"):
            self._follow(read_commands(guide, BASE_BACKUP))
        self.accounts.use_before()
        self._variables["MOMENT"] = self._pass_moment()
        self.accounts.use_after()
        self._follow(read_commands(guide, RESTORE), timed=True)
        with self._step("check"):
            return Result(self.seconds, list(self.accounts.check()))

    def _pass_moment(self) -> str:
        """Return a moment that separates what happens before from what happens after; times have whole seconds."""
        moment = int(time.time()) + 1
        time.sleep(moment + 0.2 - time.time())
        return datetime.fromtimestamp(moment, UTC).isoformat()

    # --- The commands of the guide ---

    def _follow(self, commands: Iterable[str], *, timed: bool = False) -> None:
        for command in commands:
            if command.startswith("export "):
                continue  # the drill has folders and a moment of its own
            if not timed:
                self._obey(command)
                continue
            with self._step(command.partition("\\\n")[0].strip()):
                self._obey(command)

    def _obey(self, command: str) -> None:
        if command.startswith("systemctl "):
            _systemctl, action, *units = command.split()
            self._control(action, units)
        elif ".venv/bin/flask" in command or command.startswith("shred"):
            program = shlex.join([sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py")])
            self._shell(command.replace(".venv/bin/flask", program), self.stack.environment, self.stack.folder, {})
        else:
            server = self.stack["postgresql"]
            programs = os.pathsep.join([str(Path(server.command[0]).parent), os.environ["PATH"]])
            connection = {"PGHOST": str(self.stack.folder), "PGUSER": "postgres", "PGDATABASE": "userapi"}
            environment = {**server.environment, **connection, "PATH": programs}
            self._shell(command, environment, server.folder, server.account)

    def _shell(self, command: str, environment: Mapping[str, str], folder: Path, account: Mapping[str, Any]) -> None:
        done = subprocess.run(
            ["bash", "-euc", command], env={**environment, **self._variables}, cwd=folder, capture_output=True,
            text=True, check=False, **account,
        )  # fmt: skip
        if done.returncode:
            raise ServiceFailed(f"{command}\n{done.stdout}{done.stderr}")

    def _control(self, action: str, units: list[str]) -> None:
        """Do what systemd does on a host."""
        if units != ["postgresql"]:
            server = self.stack[HOSTS[0]]
            server.stop() if action == "stop" else server.start()
            return
        if action in ("stop", "restart"):
            self.stack["postgresql"].stop()
        if action == "restart":
            self.stack["postgresql"].start()
        if action == "start":
            self.stack.use_data(Path(self._variables["RESTORED"]))
            self.stack["postgresql"].start()
            while self.accounts.query("SELECT pg_is_in_recovery()"):
                time.sleep(0.05)
            self.accounts.restored = self.accounts.count_rows()

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started
        self._say(f"{self.seconds[name]:6.1f} s  {name}")


def main() -> None:
    """Run a drill with as many users as USERS says, and exit with 1 if something is not as it should be."""
    folder = Path(tempfile.mkdtemp(prefix="drill-")).resolve()
    try:
        result = Drill(folder, int(os.environ.get("USERS", "50"))).run()
    except (ServiceMissing, ServiceFailed, subprocess.CalledProcessError) as error:
        sys.exit(f"userapi: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{sum(result.seconds.values()):6.1f} s  in all\n")
    for finding in result.findings:
        print(f"{'ok   ' if finding.is_right else 'WRONG'} {finding.text}: {finding.found}")
    sys.exit(not all(finding.is_right for finding in result.findings))


if __name__ == "__main__":
    main()
