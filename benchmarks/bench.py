"""The cost of the service, measured in alternating rounds with its peers on this machine.

    python benchmarks/bench.py [--rounds 5] [--seconds 8] [--operations me,list] [--write]

Makes what is missing the first time (environments, a PostgreSQL, 100,000 users in each database) and keeps it in a
temporary folder, or in $BENCH_STATE. See docs/performance.md for how to read the table.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).resolve().parent.parent))  # the authenticator of the tests

from measuring import crowd, documents, drawing, load, machine, peers, postgresql, report, servers, two_steps
from measuring.peers import OURS, Peer

PEERS = (OURS, "bare-flask", "fastapi-users", "django-rest")
DOCUMENT = machine.PROJECT / "docs" / "performance.md"
PLOT = machine.PROJECT / "docs" / "performance.svg"

#: Registrations hash passwords: with more in parallel, our service would respond 503 to some.
CONNECTIONS = {"register": 1}

#: How many users sign in with two steps and by passkey in each round.
TWO_STEP_USERS = 40

#: Parallel sign-ins, and the number of other requests that they must not delay.
CROWD, BYSTANDERS = 50, 2


def main() -> None:
    """Measure, print the tables, and write them to a file if requested."""
    arguments = parsed()
    machine.prepare(needs_wrk=not arguments.only_two_steps)
    postgresql.start()
    try:
        if arguments.only_two_steps or arguments.more:
            write_two_steps(arguments)
        if arguments.only_two_steps:
            return
        chosen = [peers.load(name) for name in arguments.peers]
        for peer in chosen:
            peers.install(peer)
            peers.fill(peer, arguments.users)
        samples, memory = compare(chosen, arguments)
        load_text = f"{arguments.connections} connections, {arguments.rounds} rounds of {arguments.seconds:g} s"
        parts = [facts(chosen, arguments, load_text), report.noise(samples), report.operations(samples, memory)]
        if arguments.more:
            parts += [starts(chosen, arguments.rounds), crowds(arguments.seconds), seeding(arguments.seed)]
    finally:
        postgresql.stop()
    text = "\n\n".join(parts)
    print(text)
    if arguments.write:
        documents.replace_part(DOCUMENT, "results", text)
        PLOT.write_text(drawing.costs(samples))


def parsed() -> argparse.Namespace:
    """The parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8, help="of one service in one round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--users", type=int, default=100_000, help="in each database")
    parser.add_argument("--seed", type=int, default=100_000, help="users that `flask users seed` makes")
    parser.add_argument("--operations", type=lambda text: text.split(","), default=list(report.TITLES))
    parser.add_argument("--peers", type=lambda text: text.split(","), default=list(PEERS))
    parser.add_argument("--only-operations", dest="more", action="store_false", help="no starts, crowd and seeding")
    parser.add_argument("--only-two-steps", action="store_true", help="only sign-ins with a second step and by passkey")
    parser.add_argument("--write", action="store_true", help="write the results into docs/performance.md")
    return parser.parse_args()


def note(text: str) -> None:
    """Report progress on standard error."""
    print(text, file=sys.stderr, flush=True)


def compare(
    chosen: Sequence[Peer], arguments: argparse.Namespace
) -> tuple[list[report.Sample], dict[str, tuple[float, float]]]:
    """Measure all services in turn, operation by operation; returns the samples and the final memory of each."""
    samples: list[report.Sample] = []
    path = machine.STATE / "results" / time.strftime("%Y-%m-%d-%H%M%S.jsonl")
    with servers.running(chosen) as running, path.open("w") as file:
        callers = {server: load.sign_in(server) for server in running}
        for operation in arguments.operations:
            able = [server for server in running if operation in server.peer.about["operations"]]
            connections = CONNECTIONS.get(operation, arguments.connections)
            for server in able:
                size = load.check(server, operation, callers[server])
                note(f"{operation}: {server.peer.name} answers {size:,} bytes")
            for number in range(-1, arguments.rounds):
                for server in able:
                    if "chain" in server.peer.about["operations"][operation]:
                        callers[server] = load.sign_in(server)  # the tokens of the last round are used
                    sample = load.drive(server, operation, callers[server], connections, arguments.seconds)
                    if number < 0:
                        continue  # warm-up only
                    samples.append({"operation": operation, "peer": server.peer.name, "round": number, **sample})
                    print(json.dumps(samples[-1]), file=file, flush=True)
        memory = {server.peer.name: server.memory() for server in running}
    note(f"every round is in {path}")
    return samples, memory


def write_two_steps(arguments: argparse.Namespace) -> None:
    """Measure sign-ins with a second step and by passkey, and print the table, or write it."""
    chosen = [peers.load(name) for name in two_steps.CLIENTS]
    for peer in chosen:
        peers.install(peer)
        peers.fill(peer, arguments.users)
    load_before = two_steps.load_average()
    with servers.running(chosen) as running:
        samples = two_steps.measure(running, arguments.rounds, TWO_STEP_USERS)
    load_text = f"{arguments.rounds} rounds of {TWO_STEP_USERS} sign-ins of each kind, one after the other"
    text = "\n\n".join([facts(chosen, arguments, load_text), load_before, two_steps.table(samples)])
    print(text)
    if arguments.write:
        documents.replace_part(DOCUMENT, "two steps", text)


def starts(chosen: Sequence[Peer], rounds: int) -> str:
    """Measure the time from the start of each service to its first response."""
    rows = []
    for peer in chosen:
        seconds = []
        for _round in range(rounds):
            server = servers.Server(peer)
            try:
                seconds.append(server.wait())
            finally:
                server.stop()
        rows.append((peer.name, f"{median(seconds):.2f}", f"{min(seconds):.2f}"))
    return report.table(("start to first response", "median s", "best s"), rows)


def crowds(seconds: float) -> str:
    """Measure the delay of other requests while fifty clients sign in repeatedly in parallel."""
    with servers.running([peers.load(OURS)]) as (server,):
        callers = load.sign_in(server)
        requests = load.requests(server, "sign_in", callers)
        load.drive(server, "me", callers, BYSTANDERS, 2)
        quiet = load.drive(server, "me", callers, BYSTANDERS, seconds)
        with ThreadPoolExecutor(1) as thread:
            signing_in = thread.submit(crowd.sign_in, server, requests, CROWD, seconds + 1)
            time.sleep(0.5)
            busy = load.drive(server, "me", callers, BYSTANDERS, seconds)
        tally = signing_in.result()
    rows = [
        (
            name,
            f"{sample['p50']:.1f}",
            f"{sample['p99']:.1f}",
            f"{sample['p50'] / quiet['p50']:.1f}×",
            str(sample["errors"]),
        )
        for name, sample in (("alone", quiet), (f"during {CROWD} parallel sign-ins", busy))
    ]
    summary = (
        f"In that time {tally.served / (seconds + 1):.0f} sign-ins a second succeeded; {tally.unavailable} "
        f"requests got 503 with Retry-After and were retried; {tally.failed} failed."
    )
    return report.table(("own user by token", "p50 ms", "p99 ms", "relative p50", "errors"), rows) + f"\n\n{summary}"


def seeding(count: int) -> str:
    """Measure how fast `flask users seed` fills an empty database."""
    ours = peers.load(OURS)
    database = f"{ours.about['database']}_seeding"
    postgresql.create(database)
    environment = ours.environment | {
        "DATABASE_URL": postgresql.url(database),
        "USER_PASSWORD": load.sample_users.PASSWORD,
    }
    flask = [ours.python, "-m", "flask", "--app", "wsgi"]
    subprocess.run([*flask, "db", "upgrade"], cwd=ours.folder, env=environment, check=True, capture_output=True)
    started = time.perf_counter()
    process = subprocess.Popen(
        [*flask, "users", "seed", str(count), "--random-seed", "1"],
        cwd=ours.folder, env=environment, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    most = 0.0
    while process.poll() is None:
        most = max(most, _held(process.pid))
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit("bench: `flask users seed` failed")
    postgresql.remove(database)
    rate = f"{count:,} | {seconds:.1f} | {count / seconds:,.0f} | {most:.0f}"
    return f"| `flask users seed` | s | users/s | maximum MiB |\n| --- | --- | --- | --- |\n| {rate} |"


def _held(pid: int) -> float:
    try:
        return machine.held(pid)
    except OSError:
        return 0.0


def facts(chosen: Sequence[Peer], arguments: argparse.Namespace, load: str) -> str:
    """The date, the machine, the load and the versions of the measurement."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(
        ["git", "-C", machine.PROJECT, "describe", "--always", "--dirty"], capture_output=True, text=True
    )
    lines = [
        f"Measured on {time.strftime('%d %B %Y, %H:%M')} at commit {commit.stdout.strip() or 'unknown'}: "
        f"{os.cpu_count()} processors ({cpu[1] if cpu else platform.machine()}), Python {platform.python_version()}, "
        f"PostgreSQL {postgresql.version()}, {arguments.users:,} users, {load}, {servers.WORKERS} workers"
        f" (× {servers.THREADS} threads for WSGI).",
        "",
        *(f"- {peer.name}: {peer.versions()}" for peer in chosen),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
