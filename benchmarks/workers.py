"""What a request costs, and how many the service answers, with 1 to 8 workers.

    python benchmarks/workers.py [--rounds 5] [--seconds 3] [--write]

The numbers of workers take turns within each round. The load generator, PostgreSQL and the workers share the processors
of this machine, so the rate cannot grow beyond them; the processor time of a request shows what further workers cost.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).resolve().parent.parent))  # the authenticator of the tests

from measuring import documents, load, machine, peers, postgresql, report, servers
from measuring.peers import OURS

WORKERS = (1, 2, 4, 8)
OPERATIONS = ("me", "list", "verify", "refresh", "patch")
CONNECTIONS = 16
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance-growth.md"


def main() -> None:
    """Measure, and print the table or write it into the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of one number of workers in one round")
    parser.add_argument("--users", type=int, default=100_000, help="in the database")
    parser.add_argument("--write", action="store_true", help=f"write the table into docs/{DOCUMENT.name}")
    arguments = parser.parse_args()
    machine.prepare(needs_wrk=True)
    postgresql.start()
    try:
        peer = peers.load(OURS)
        peers.install(peer)
        peers.fill(peer, arguments.users)
        text = "\n\n".join(measure(peer, arguments.rounds, arguments.seconds))
    finally:
        postgresql.stop()
    print(text)
    if arguments.write:
        documents.replace_part(DOCUMENT, "workers", text)


def measure(peer: peers.Peer, rounds: int, seconds: int) -> tuple[str, str]:
    """Drive every operation against every number of workers; returns the table and how noisy it is."""
    samples: list[report.Sample] = []
    with ExitStack() as stack:
        running = {}
        for count in WORKERS:
            running[count] = servers.Server(peer, workers=count)
            stack.callback(running[count].stop)
            running[count].wait()
        for operation in OPERATIONS:
            for number in range(-1, rounds):
                for count, server in running.items():
                    sample = load.drive(server, operation, load.sign_in(server), CONNECTIONS, seconds)
                    if number >= 0:  # the first round only warms up
                        samples.append({"operation": operation, "peer": f"{count} workers", "workers": count, **sample})
        memory = {count: server.memory() for count, server in running.items()}
    return table(samples, memory), report.noise(samples)


def table(samples: list[report.Sample], memory: dict[int, tuple[float, float]]) -> str:
    """Medians over the rounds, one row for each operation and number of workers."""
    rows = []
    for operation in OPERATIONS:
        for count in WORKERS:
            group = [s for s in samples if (s["operation"], s["workers"]) == (operation, count)]
            assert not sum(s["errors"] + s["broken"] for s in group), f"{operation} failed with {count} workers"
            rate, p50, p99, app, db = (median(s[name] for s in group) for name in ("rate", "p50", "p99", "app", "db"))
            figures = (f"{rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{app:.2f}", f"{db:.2f}", f"{memory[count][1]:.0f}")
            rows.append((report.TITLES[operation], str(count), *figures))
    header = ("operation", "workers", "requests/s", "p50 ms", "p99 ms", "application ms", "database ms", "MiB in all")
    return report.table(header, rows)


if __name__ == "__main__":
    main()
