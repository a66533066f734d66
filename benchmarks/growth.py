"""The cost of each operation as the number of users grows, with the nodes of PostgreSQL's plans.

    python benchmarks/growth.py [10000 100000 …] [--url URL] [--write]

Everything runs in this process; a cost is the median of the processor time of a request in Python and in PostgreSQL,
which other programs on the machine inflate, but do not distort as they distort durations. Without --url, it starts its
own PostgreSQL; a URL contains {} in place of the name of the database, which is filled if it is missing.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / part) for part in ("", "deploy")]

import sqlalchemy as sa  # noqa: E402
from flask import Flask  # noqa: E402
from flask_migrate import upgrade  # noqa: E402
from measuring import documents, growth_data, growth_plans  # noqa: E402

from tests.support import servers  # noqa: E402
from tests.support.api_client import ApiUser, sign_in  # noqa: E402
from tests.support.app_config import app_config  # noqa: E402
from tests.support.factories import PASSWORD, make_user, new_user  # noqa: E402
from tests.support.staff_client import staff_client  # noqa: E402
from userapi.app import create_app  # noqa: E402
from userapi.http.pagination import Cursor  # noqa: E402
from userapi.security import signing_keys  # noqa: E402

#: Rounds, requests of each round, and requests before them: psycopg prepares a statement after its fifth use.
REPEATS, BATCH, WARM_UP = 11, 3, 8

#: The operations that are hardly more than the check of a token.
CHECKS = ("own user", "verify")
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance-growth.md"

#: By operation: what makes the caller's next request.
Operations = dict[str, Callable[[], Any]]


class Cost(NamedTuple):
    """The milliseconds of processor time in Python and in PostgreSQL, and how PostgreSQL reads the tables that grow."""

    python: float
    database: float
    plan: str


Costs = dict[str, dict[int, Cost]]


def main() -> None:
    """Measure every size, print the table, and write it into the document if requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--url", help="such as postgresql+psycopg://postgres@/{}?host=/tmp")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with _server(given.url) as url, ExitStack() as stack:
        sizes = {size: stack.enter_context(_child(url.format(f"users_{size}"), size)) for size in given.sizes}
        costs = measure(sizes)
    text = table(costs, given.sizes)
    print(text)
    if given.write:
        documents.replace_part(DOCUMENT, "results", text)


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    if url:
        yield url
        return
    with servers.postgresql() as own:
        yield own.replace("@/postgres?", "@/{}?")


@contextmanager
def _child(url: str, size: int) -> Iterator[ProcessPoolExecutor]:
    """A process for one size: applications in one process would make each other slower."""
    _make_database(url)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        signing_keys.KeyRing(Path(folder)).add()
        with ProcessPoolExecutor(1, context, _set_up, (url, folder, size)) as child:
            child.submit(_warm_up).result()
            yield child


def measure(sizes: dict[int, ProcessPoolExecutor]) -> Costs:
    """The costs by operation and size. The sizes take turns, so that other programs disturb all of them alike."""
    costs: Costs = {}
    plans = {size: child.submit(_find_plans).result() for size, child in sizes.items()}
    for name in plans[min(sizes)]:
        times: dict[int, list[tuple[float, float]]] = {size: [] for size in sizes}
        for _repeat in range(REPEATS):
            for size, child in sizes.items():
                times[size].append(child.submit(_time, name).result())
        costs[name] = {
            size: Cost(*(statistics.median(part) for part in zip(*found, strict=True)), plans[size][name])
            for size, found in times.items()
        }
        cells = (f"{size:,}: {cost.python:.1f} + {cost.database:.1f} ms" for size, cost in costs[name].items())
        print(name, *cells, costs[name][max(sizes)].plan, sep="   ", flush=True)
    return costs


#: In the process of one size: the applications that report plans and that do not, and their operations.
here: dict[str, Operations] = {}


def _set_up(url: str, folder: str, size: int) -> None:
    growth_plans.record()
    app = create_app(app_config(url, folder, LOG_LEVEL="ERROR"))
    with app.app_context():
        upgrade()
        growth_data.fill(size)
    here["timed"] = operations(app, size)
    here["explained"] = operations(create_app(app_config(growth_plans.explained(url), folder, LOG_LEVEL="ERROR")), size)


def _warm_up() -> None:
    for found in here.values():
        for request in found.values():
            _run(request, WARM_UP)


def _find_plans() -> dict[str, str]:
    """How each operation reads the database."""
    found = {}
    for name, request in here["explained"].items():
        growth_plans.plans.clear()
        _run(request, 1)
        scans = growth_plans.summary(without=() if name in CHECKS else growth_plans.OF_ONE_ACCOUNT)
        found[name] = ", ".join(scans) or "rows by their keys only"
    return found


def _time(name: str) -> tuple[float, float]:
    """The processor time of a request in Python and in PostgreSQL, in milliseconds."""
    started, database = time.process_time(), _database_time()
    _run(here["timed"][name], BATCH)
    return (time.process_time() - started) * 1000 / BATCH, (_database_time() - database) * 1000 / BATCH


def _make_database(url: str) -> None:
    name = sa.make_url(url).database
    engine = sa.create_engine(sa.make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, suppress(sa.exc.ProgrammingError):
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine.dispose()


def operations(app: Flask, size: int) -> Operations:
    """The requests, by name; each call sends another one."""
    email = str(new_user()["email"]).replace("person", f"growth{time.time_ns()}-")
    user_id = make_user(app, email=email, is_staff=True, is_superuser=True)
    caller = ApiUser(app.test_client(), user_id, email, PASSWORD, sign_in(app, email))
    boss = staff_client(app, email=email.replace("growth", "boss"), is_staff=True, is_superuser=True)
    refreshed = sign_in(app, email)
    numbers = iter(range(1, 1_000_000))
    doomed: list[tuple[int, str]] = []
    far = Cursor("id", "next", size * 9 // 10, size * 9 // 10).encode()

    def refresh() -> Any:
        answer = caller.client.post("/api-token-refresh/", json={"refresh_token": refreshed["refresh_token"]})
        refreshed.update(answer.json)
        return answer

    def register() -> Any:
        document = new_user(email=email.replace("growth", f"new{next(numbers)}-"))
        answer = caller.client.post("/userapi/users/", json=document)
        doomed.append((answer.json["id"], document["email"]))
        return answer

    def delete() -> Any:
        return caller.delete(f"/userapi/users/{doomed.pop()[0]}/")

    def start_export() -> Any:
        data = {"action": "export_csv", "all": "true", "csrf_token": boss.csrf}
        answer: Any = boss.client.post("/admin/users/act/", data=data, buffered=False)
        next(iter(answer.response))
        answer.close()
        return answer

    def edit() -> Any:
        return caller.patch("/userapi/auth/user/", json={"profile": {"city": f"City {next(numbers)}"}})

    found = size // 3 + 654
    return {
        "own user": lambda: caller.get("/userapi/auth/user/"),
        "list, first page": lambda: caller.get("/userapi/users/"),
        "list, far page": lambda: caller.get(f"/userapi/users/?cursor={far}"),
        "search, one email": lambda: caller.get(f"/userapi/users/?search={found}%40"),
        "search, common text": lambda: caller.get("/userapi/users/?search=example"),
        "filter by country": lambda: caller.get("/userapi/users/?country=Country+42"),
        "sign-in": lambda: caller.client.post("/userapi/auth/login/", json={"email": email, "password": PASSWORD}),
        "refresh": refresh,
        "verify": lambda: caller.client.post("/api-token-verify/", json={"token": caller.tokens["access_token"]}),
        "PATCH own profile": edit,
        "register": register,
        "delete": delete,
        "export, first part": start_export,
        "staff list": lambda: boss.get("/admin/users/"),
        "staff search, one email": lambda: boss.get(f"/admin/users/?search={found}%40"),
        "staff search, last name": lambda: boss.get("/admin/users/?search=last4999"),
        "staff filter, inactive": lambda: boss.get("/admin/users/?is_active=false"),
        "staff filter, country": lambda: boss.get("/admin/users/?country=Country+42"),
        "audit log": lambda: boss.get("/admin/audit/"),
    }


def _run(request: Callable[[], Any], times: int) -> None:
    for _time in range(times):
        answer = request()
        if answer.status_code >= 400:
            raise SystemExit(f"{answer.request.path}: {answer.status_code} {answer.text[:300]}")


def _database_time() -> float:
    """The processor time that the server processes of this process's connections have used so far, in seconds."""
    total = 0
    for process in growth_plans.backends:
        with suppress(OSError):
            total += int(Path(f"/proc/{process}/schedstat").read_text().split()[0])
    return total / 1e9


def table(costs: Costs, sizes: list[int]) -> str:
    """The costs as a table, with the plan of the largest size."""
    lines = [
        f"| operation | {' | '.join(f'{size:,}' for size in sizes)} | last ÷ first | plan |",
        f"| --- |{' --- |' * (len(sizes) + 2)}",
    ]
    for name, found in costs.items():
        first, *_between, last = (found[size].python + found[size].database for size in (sizes[0], *sizes))
        cells = " | ".join(f"{found[size].python:.1f} + {found[size].database:.1f}" for size in sizes)
        lines.append(f"| {name} | {cells} | {last / first:.1f} | {found[sizes[-1]].plan} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
