"""What a start costs, of this service and of bare Flask, in alternating rounds.

    python benchmarks/start.py [--rounds 15] [--before FOLDER]

A start lasts until the first response, of any status. Processor time is that of all processes of the service. Then each
service answers a hundred requests on one connection, and the memory of a worker and of all processes is read.
`--before` measures another checkout of this service too, such as one of `git worktree add ../before COMMIT`. PostgreSQL
and the environments are those of `bench.py`.
"""

import argparse
import dataclasses
import http.client
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).resolve().parent.parent))  # the authenticator of the tests

from measuring import machine, peers, postgresql, report, servers
from measuring.peers import OURS, Peer

#: Requests before the memory is read.
REQUESTS = 100

BASELINE = "bare-flask"


@dataclasses.dataclass(frozen=True)
class Start:
    """One start of a service.

    Attributes:
        seconds: until the first response.
        processor: processor seconds of all processes until then.
        worker: megabytes of the largest worker.
        all: megabytes of all processes.
    """

    seconds: float
    processor: float
    worker: float
    all: float


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--users", type=int, default=1_000, help="in the database")
    parser.add_argument("--before", type=Path, help="another checkout of this service")
    arguments = parser.parse_args()
    machine.prepare(needs_wrk=False)
    postgresql.start()
    try:
        subjects = {OURS: peers.load(OURS), BASELINE: peers.load(BASELINE)}
        if arguments.before:
            subjects["before"] = at_checkout(subjects[OURS], arguments.before.resolve())
        for peer in subjects.values():
            peers.install(peer)
            peers.fill(peer, arguments.users)
        starts: dict[str, list[Start]] = {name: [] for name in subjects}
        for number in range(-1, arguments.rounds):
            for name, peer in subjects.items():
                sample = measure(peer)
                if number >= 0:  # the first round only compiles and warms up
                    starts[name].append(sample)
    finally:
        postgresql.stop()
    print(render(starts))


def at_checkout(peer: Peer, folder: Path) -> Peer:
    """Our service with the code of another checkout, and a database with its migrations."""
    about = peer.about | {"database": f"{peer.about['database']}_before"}
    return dataclasses.replace(peer, about=about, checkout=folder)


def measure(peer: Peer) -> Start:
    """Start a service, send it requests, and stop it."""
    server = servers.Server(peer)
    try:
        seconds = server.wait()
        processor = server.used()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for _number in range(REQUESTS):
            connection.request("GET", peer.about["operations"]["verify"]["path"])
            connection.getresponse().read()
        connection.close()
        return Start(seconds, processor, *server.memory())
    finally:
        server.stop()


def render(starts: dict[str, list[Start]]) -> str:
    """Medians with the lowest and highest round, and the ratios to bare Flask within rounds."""
    names = [field.name for field in dataclasses.fields(Start)]
    header = ("service", "s", "processor s", "MiB a worker", "MiB in all", "s relative", "processor relative")
    rows = []
    for service, group in starts.items():
        cells = [summary([getattr(start, name) for start in group], 1 if "a" in name[-3:] else 2) for name in names]
        for name in ("seconds", "processor"):
            pairs = zip(group, starts[BASELINE], strict=True)
            cells.append(summary([getattr(ours, name) / getattr(theirs, name) for ours, theirs in pairs], 2))
        rows.append((service, *cells))
    return report.table(header, rows)


def summary(values: Sequence[float], digits: int) -> str:
    """The median, and the lowest and highest value."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    main()
