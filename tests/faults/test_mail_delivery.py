"""Emails are delivered at least once even if deliverers are killed."""

import asyncio
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
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask

import config
from tests.support import commands, servers
from tests.support.waiting import wait_until
from userapi.core.db import db
from userapi.mail import emails

pytestmark = [pytest.mark.both, pytest.mark.slow]

EMAILS = 500
KILLS = 12
SECONDS = 90


class FlakySink(servers.SmtpSink):
    """A slow mail server that delays one email in ten, and sometimes disconnects before or after it accepts one.

    Attributes:
        lost_answers: the number of emails that it accepted without a reply.
    """

    lost_answers = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(random.uniform(0, 0.02))
        fate = random.random()
        if fate < 0.1:
            return "451 4.3.0 Try again later"
        if fate < 0.12:
            server.transport.abort()
            return "421 4.3.0 Gone"
        response = await super().handle_DATA(server, session, envelope)
        if fate < 0.13:
            self.lost_answers += 1
            server.transport.abort()
        return response


@contextmanager
def mortal_deliverers(app: Flask, sink: servers.SmtpSink, folder: Path) -> Iterator[Callable[[], None]]:
    """Run two deliverers; yields a function that kills one of them and returns when it is replaced."""
    environment = commands.environment(
        app.config["DATABASE_URL"],
        folder,
        MAIL_SERVER=sink.host,
        MAIL_PORT=str(sink.port),
        MAIL_TIMEOUT="2",
        MAIL_DEFAULT_SENDER="no-reply@example.com",
    )
    program = config.ROOT / "tests" / "support" / "crashing_deliverers.py"
    with (folder / "log").open("wb") as log:
        parent = subprocess.Popen(
            [sys.executable, program], env=environment, stdout=subprocess.PIPE, stderr=log, start_new_session=True
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
def test_X10_none_of_500_emails_is_lost_when_deliverers_are_killed_at_random(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    app = make_app()
    with app.app_context():
        for number in range(EMAILS):
            emails.send_verification(emails.Recipient(f"person{number}@example.com"), link="t0ken", secret="t0ken")
        db.session.commit()
    deadline = time.monotonic() + SECONDS

    with servers.smtp_sink(FlakySink) as sink, mortal_deliverers(app, sink, tmp_path) as kill_one:
        assert isinstance(sink, FlakySink)
        for _ in range(KILLS):
            enough = len(sink.messages) + random.randrange(EMAILS // KILLS)
            while len(sink.messages) < enough and time.monotonic() < deadline:
                time.sleep(random.uniform(0, 0.02))
            kill_one()
        wait_until(lambda: count(app, "sent_at IS NULL") == 0, timeout=SECONDS, pause=0.1)

    arrived = Counter(message["Message-ID"] for message in sink.messages)
    twice = arrived.total() - len(arrived)
    print(f"{EMAILS} emails, {KILLS} deaths: {len(arrived)} arrived, {EMAILS - len(arrived)} lost, {twice} twice")
    assert len(arrived) == EMAILS
    assert len({recipient for _, (recipient,) in sink.envelopes}) == EMAILS
    assert twice <= KILLS + sink.lost_answers
    assert count(app, "secret IS NULL AND sent_at IS NOT NULL") == EMAILS


def count(app: Flask, condition: str) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.text(f"SELECT count(*) FROM messages WHERE {condition}")) or 0)
