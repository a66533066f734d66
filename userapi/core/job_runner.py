"""The thread of a server that runs the jobs of `leased_jobs`, of every kind; starting a job wakes it."""

from collections.abc import Callable
from typing import Protocol

from flask import Flask

from . import loop
from .loop import BackgroundLoop, Round

#: How often it checks for jobs that other processes started or released, in seconds.
POLL_INTERVAL = 5.0

NAME = "job-runner"

#: The kinds of jobs of an application, in its `extensions`.
KINDS = "userapi-jobs"


class RunNextJob(Protocol):
    """Runs the job of one kind that has waited longest; returns whether there was one."""

    def __call__(self, *, stop: Callable[[], bool]) -> bool:
        """Run it, and call `stop` after each batch: true ends the run early."""


def register(app: Flask, run_next_job: RunNextJob) -> None:
    """Run jobs of this kind while the application serves, unless the settings leave that to others."""
    if not loop.is_enabled(app):
        return
    if KINDS not in app.extensions:
        kinds: list[RunNextJob] = app.extensions.setdefault(KINDS, [])

        def run_jobs(stop: Callable[[], bool]) -> Round:
            """Run the next job of each kind."""
            results = [run_next(stop=stop) for run_next in kinds]
            return Round.MORE if any(results) else Round.DONE

        loop.run_while_serving(
            BackgroundLoop(app, NAME, run_jobs, POLL_INTERVAL, logger="userapi.jobs", failure="job interrupted")
        )
    app.extensions[KINDS].append(run_next_job)


def wake_on_commit() -> None:
    """Wake the thread when the current transaction, which starts a job, is committed."""
    loop.wake_on_commit(NAME)
