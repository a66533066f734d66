"""This machine: the folders of the benchmarks, and processor and memory use (from Linux's /proc)."""

import contextlib
import hashlib
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
PROJECT = BENCHMARKS.parent

#: Environments, databases, logs. Outside the project, because PostgreSQL's user must reach it when root runs this.
STATE = Path(os.environ.get("BENCH_STATE") or Path(tempfile.gettempdir()) / "userapi-benchmarks").resolve()

#: The folders of PostgreSQL's programs on Debian and macOS.
POSTGRESQL_FOLDERS = (("/usr/lib/postgresql", "*/bin"), ("/opt/homebrew/opt", "postgresql*/bin"))

TICK = os.sysconf("SC_CLK_TCK")


def prepare(*, needs_wrk: bool) -> None:
    """Create the folders, and check that all programs are installed.

    Args:
        needs_wrk: whether the load generator is used.

    Raises:
        SystemExit: a program is missing.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        sys.exit("bench: needs Linux, whose /proc tells what each process used")
    if not shutil.which("initdb"):
        found = [str(path) for root, pattern in POSTGRESQL_FOLDERS for path in sorted(Path(root).glob(pattern))]
        os.environ["PATH"] = os.pathsep.join([*reversed(found), os.environ["PATH"]])
    for program, package in (("wrk", "wrk"), ("initdb", "postgresql"), ("pg_ctl", "postgresql")):
        if not shutil.which(program) and (needs_wrk or program != "wrk"):
            sys.exit(f"bench: {program} is missing; on Debian and Ubuntu: apt install {package}")
    for name in ("environments", "logs", "keys", "results"):
        (STATE / name).mkdir(parents=True, exist_ok=True)


def digest(*texts: str) -> str:
    """A short hash of the given texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid] if pid else []
    for parent in found:
        with contextlib.suppress(OSError):  # it may have ended
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def used_by(pid: int) -> float:
    """Processor seconds of a process and all its descendants, including ended ones.

    Unlike requests per second, they hardly depend on other load on the machine.
    """
    ticks = 0
    for process in family(pid):
        with contextlib.suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / TICK


def used_by_all() -> float:
    """Processor seconds of all processes on this machine."""
    user, nice, system, _idle, _waiting, *others = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(others)) / TICK


def used_by_children() -> float:
    """Processor seconds of our child processes that have ended, such as the load generator."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def held(pid: int) -> float:
    """The memory of a process in megabytes, with its share of memory shared with others (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
