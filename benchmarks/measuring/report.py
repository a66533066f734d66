"""Medians over rounds, as Markdown, and whether this machine was quiet enough for them."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from .peers import OURS

Sample = dict[str, Any]

#: The labels of the operations.
TITLES = {
    "me": "own user by token",
    "list": "list of 50, first page",
    "list_deep": "list of 50, after user 90,000",
    "verify": "verify a token",
    "refresh": "refresh",
    "patch": "PATCH own profile",
    "register": "register, password hash included",
}

HEADER = ("operation", "service", "requests/s", "p50 ms", "p99 ms", "application ms", "database ms")

#: The share of processors used by others, and the spread of costs, above which the figures are unreliable.
MAX_FOREIGN = 0.10
MAX_SPREAD = 0.20


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *rows))


def cost(sample: Sample) -> float:
    """Processor milliseconds per request of application and database."""
    return float(sample["app"] + sample["db"])


def ratio(samples: Sequence[Sample], operation: str, peer: str) -> float | None:
    """The relative cost of a request at a peer: the median of the ratios to ours within rounds."""
    theirs = {s["round"]: cost(s) for s in samples if (s["operation"], s["peer"]) == (operation, peer)}
    ours = {s["round"]: cost(s) for s in samples if (s["operation"], s["peer"]) == (operation, OURS)}
    both = [theirs[number] / ours[number] for number in theirs.keys() & ours.keys()]
    return median(both) if both else None


def operations(samples: Sequence[Sample], memory: dict[str, tuple[float, float]]) -> str:
    """The table with a line for each operation and service."""
    rows = []
    for operation, peer in dict.fromkeys((s["operation"], s["peer"]) for s in samples):
        group = [s for s in samples if (s["operation"], s["peer"]) == (operation, peer)]
        middle = {name: median(s[name] for s in group) for name in ("rate", "p50", "p99", "app", "db")}
        times = ratio(samples, operation, peer)
        rows.append(
            (
                TITLES[operation],
                peer,
                f"{middle['rate']:,.0f}" if middle["rate"] >= 100 else f"{middle['rate']:.1f}",
                f"{middle['p50']:.1f}",
                f"{middle['p99']:.1f}",
                f"{middle['app']:.2f}",
                f"{middle['db']:.2f}",
                "" if peer == OURS or times is None else f"{times:.2f}×",
                *(f"{megabytes:.0f}" for megabytes in memory[peer]),
                f"±{spread(group):.0%}",
                str(sum(s["errors"] + s["broken"] for s in group)),
            )
        )
    return table((*HEADER, "relative cost", "MiB a worker", "MiB in all", "spread", "errors"), rows)


def spread(group: Sequence[Sample]) -> float:
    """Half the difference between the cheapest and the most expensive round, relative to the median."""
    costs = [cost(sample) for sample in group]
    return (max(costs) - min(costs)) / 2 / (median(costs) or 1)


def noise(samples: Sequence[Sample]) -> str:
    """A sentence that says whether the figures are reliable."""
    foreign = median(s["foreign"] for s in samples)
    wild = [
        f"{TITLES[operation]} ({peer})"
        for operation, peer in dict.fromkeys((s["operation"], s["peer"]) for s in samples)
        if spread([s for s in samples if (s["operation"], s["peer"]) == (operation, peer)]) > MAX_SPREAD
    ]
    others = f"Other processes used {foreign:.0%} of the processors (median)."
    if foreign > MAX_FOREIGN:
        return (
            f"**Too noisy.** {others} Requests a second and latencies are not reliable. The costs, which are processor "
            "time, are inflated for all services, so their ratios are still useful. Measure again on a quiet machine."
        )
    if wild:
        return (
            f"{others} **Too noisy to compare**, with costs that differ by over ±{MAX_SPREAD:.0%}: {', '.join(wild)}."
        )
    return f"{others} Quiet enough: no cost differs by more than ±{MAX_SPREAD:.0%} between rounds."
