"""Subscribers of extensions are called at least once for every committed event even if workers are killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask

import config
from tests.support import commands
from tests.support.sql import fetch_number, fetch_rows
from tests.support.waiting import wait_until
from userapi.audit import audit_log, subscribers
from userapi.core import hooks
from userapi.core.db import db
from userapi.core.hooks import After

pytestmark = [pytest.mark.both, pytest.mark.slow]

EVENTS = 300
KILLS = 12
SECONDS = 90


@contextmanager
def mortal_workers(app: Flask, folder: Path) -> Iterator[Callable[[], None]]:
    """Run two workers; yields a function that kills one of them and returns when it is replaced."""
    environment = commands.environment(app.config["DATABASE_URL"], folder)
    program = config.ROOT / "tests" / "support" / "crashing_subscribers.py"
    with (folder / "log").open("wb") as log:
        parent = subprocess.Popen(
            [sys.executable, program, folder / "called"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert parent.stdout is not None
    said = parent.stdout
    try:
        running = [int(said.readline()), int(said.readline())]

        def kill_one() -> None:
            os.kill(running.pop(random.randrange(2)), signal.SIGKILL)
            running.append(int(said.readline()))

        yield kill_one
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate()


@pytest.mark.unmeasured
def test_W26_every_committed_event_and_no_other_reaches_its_subscriber_when_workers_are_killed(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    app = make_app()
    hooks.register(app, "shop", after=[After("user.*", lambda _event: None, "write_down")])
    subscribers.configure(app)
    undone = set()
    with mortal_workers(app, tmp_path) as kill_one, app.app_context():
        for number in range(EVENTS):
            audit_log.record("user.changed", "user", number)
            if random.random() < 0.3:
                db.session.rollback()
                undone.add(number)
            else:
                db.session.commit()
            if number % (EVENTS // KILLS) == 0:
                kill_one()
                time.sleep(random.uniform(0, 0.2))
        db.session.remove()
        wait_until(lambda: fetch_number(app, "SELECT count(*) FROM notices WHERE sent_at IS NULL") == 0, SECONDS, 0.2)

    called = Counter(int(line) for line in (tmp_path / "called").read_text().split())
    committed = {row[0] for row in fetch_rows(app, "SELECT id FROM audit_events WHERE action = 'user.changed'")}
    twice = called.total() - len(called)
    print(f"{len(committed)} events, {KILLS} deaths, {twice} called twice")
    assert len(committed) == EVENTS - len(undone)
    assert set(called) == committed
    assert twice <= KILLS
