"""The thread of a server that does the jobs of `leases`, of every kind, woken when one is started."""

from collections.abc import Callable
from typing import Protocol

from flask import Flask

from . import loop
from .db import db
from .loop import Background, Round

#: How often it looks for jobs that others started, or that a worker has left, in seconds.
POLL = 5.0

#: Marks a database session that has started a job; the thread wakes once it commits.
STARTED = "userapi-job-started"

EXTENSION = "userapi-jobs"


class DoDue(Protocol):
    """Does the job of one kind that waits longest; returns whether there was one."""

    def __call__(self, *, stop: Callable[[], bool]) -> bool:
        """Do it, and call `stop` after each batch."""


class JobRunner(Background):
    """A thread that does one job after the other until it is to stop."""

    name = "job-runner"
    logger = "userapi.jobs"
    failed = "job interrupted"
    mark = STARTED

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.kinds: list[DoDue] = []

    def do_round(self) -> Round:
        """Do the job of each kind that waits longest."""
        done = [do_due(stop=self.is_stopping) for do_due in self.kinds]
        return Round.MORE if any(done) else Round.DONE

    def poll(self) -> float:
        """See `POLL`."""
        return POLL


def register(app: Flask, do_due: DoDue) -> None:
    """Do jobs of this kind while the application serves, unless the settings leave that to others."""
    if loop.is_left_to_others(app):
        return
    if EXTENSION not in app.extensions:
        app.extensions[EXTENSION] = JobRunner(app)
        loop.run(app.extensions[EXTENSION])
    app.extensions[EXTENSION].kinds.append(do_due)


def wake_on_commit() -> None:
    """Wake the thread once the present transaction, which starts a job, is committed."""
    db.session().info[STARTED] = True
