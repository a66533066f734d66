"""What made-up people did within the last thirty days: sign-ins, failed ones, and the sessions that came of them."""

import random
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import current_app

from userapi.audit import audit_log
from userapi.auth.models import Session
from userapi.core import clock
from userapi.core.context import Origin
from userapi.core.db import db

from .bulk_insert import NewUser

#: So far the history reaches back.
DAYS = 30

#: One account of so many is inactive, is staff, has an email that was never verified, or was created within those days.
INACTIVE, STAFF, UNVERIFIED, RECENT = 23, 37, 11, 9

#: The share of accounts that nobody has signed in to within those days.
QUIET = 0.3

#: How often people sign in on average, and at most; and the share of those who mistype the password first.
SIGN_INS, MOST_SIGN_INS, MISTYPED = 2.5, 12, 0.12

#: Sign-ins to accounts that do not exist, for each of the others.
UNKNOWN = 0.03

#: The newest sessions of a user are not signed out.
OPEN_SESSIONS = 2

#: The share of sign-ins on a weekend that fall on any day instead.
WEEKDAYS = 0.7

#: The hours (UTC) of most sign-ins.
NOON, SPREAD = 13.5, 3.5

DEVICES = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26 Safari/605.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 Version/26.1 Mobile/15E148 Safari/604",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)

#: Networks that no host has (RFC 5737).
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")


class _SignIn(NamedTuple):
    """One try; `user_id` is None where no account has the email."""

    moment: datetime
    user_id: int | None
    address: str
    succeeds: bool


class Activity:
    """A past for the people of a crowd; the same seed makes the same.

    Args:
        seed: any text.
    """

    def __init__(self, seed: str) -> None:
        self.chance = random.Random(f"{seed} activity")  # noqa: S311 - nothing secret comes from it
        self.now = clock.now()
        self.first = self.now - timedelta(days=DAYS)
        self.people = 0
        self.sign_ins: list[_SignIn] = []
        self.open: set[int] = set()

    def prepare(self, rows: Sequence[NewUser]) -> list[NewUser]:
        """The accounts as their past has left them; `write` writes that past once they are made."""
        self.sign_ins, self.open = [], set()
        prepared = [self._account(row) for row in rows]
        for _number in range(round(len(self.sign_ins) * UNKNOWN)):
            self.sign_ins.append(_SignIn(self._moment(self.first), None, self._address(), succeeds=False))
        return prepared

    def write(self, made: Collection[int]) -> None:
        """Write the events and sessions of those accounts that were made."""
        happened = sorted(
            (each for each in self.sign_ins if each.user_id is None or each.user_id in made),
            key=lambda each: each.moment,
        )
        if happened:
            audit_log.record_history([_event(each) for each in happened])
        sessions = list(self._sessions(happened))
        if sessions:
            db.session.execute(sa.insert(Session), sessions)

    def _account(self, row: NewUser) -> NewUser:
        self.people += 1
        is_verified = self.people % UNVERIFIED != 0
        joined = row.columns["date_joined"] if self.people % RECENT else self._moment(self.first)
        last_login = self._sign_in(row.id, joined) if is_verified and self.chance.random() >= QUIET else None
        is_active = self.people % INACTIVE != 0
        if is_active:
            self.open.add(row.id)
        past = {
            "date_joined": joined,
            "email_verified_at": joined if is_verified else None,
            "last_login": last_login,
            "is_active": is_active,
            "is_staff": self.people % STAFF == 0,
        }
        return row._replace(columns=row.columns | past)

    def _sign_in(self, user_id: int, joined: datetime) -> datetime:
        """Let somebody sign in several times; the last one."""
        address, last = self._address(), joined
        for _number in range(min(1 + int(self.chance.expovariate(1 / SIGN_INS)), MOST_SIGN_INS)):
            moment = self._moment(max(joined, self.first))
            if self.chance.random() < MISTYPED:
                before = moment - timedelta(seconds=self.chance.uniform(4, 40))
                self.sign_ins.append(_SignIn(before, user_id, address, succeeds=False))
            self.sign_ins.append(_SignIn(moment, user_id, address, succeeds=True))
            last = max(last, moment)
        return last

    def _moment(self, first: datetime) -> datetime:
        """A moment from `first` until now, more often by day and on working days than not."""
        chance = self.chance
        day = first + (self.now - first) * chance.random()
        if day.weekday() >= 5 and chance.random() < WEEKDAYS:
            day = first + (self.now - first) * chance.random()
        midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = midnight + timedelta(hours=min(max(chance.gauss(NOON, SPREAD), 0), 23.99))
        return moment if first <= moment <= self.now else first + (self.now - first) * chance.random()

    def _address(self) -> str:
        return f"{self.chance.choice(NETWORKS)}.{self.chance.randint(1, 254)}"

    def _sessions(self, happened: Sequence[_SignIn]) -> Iterator[dict[str, Any]]:
        lifetime = timedelta(seconds=current_app.config["SESSION_LIFETIME"])
        newer: dict[int, int] = {}
        for each in reversed(happened):
            if not each.succeeds or each.user_id is None:
                continue
            number = newer[each.user_id] = newer.get(each.user_id, 0) + 1
            used = each.moment + (self.now - each.moment) * self.chance.random() ** 2
            is_open = number <= OPEN_SESSIONS and each.user_id in self.open
            yield {
                "id": uuid.uuid4(),
                "user_id": each.user_id,
                "session_version": 0,
                "refresh_jti": uuid.uuid4(),
                "refreshed_at": each.moment,
                "created_at": each.moment,
                "last_used_at": used,
                "expires_at": each.moment + lifetime,
                "ended_at": None if is_open else used,
                "address": each.address,
                "user_agent": DEVICES[each.user_id % len(DEVICES)],
            }


def _event(each: _SignIn) -> dict[str, Any]:
    return {
        "occurred_at": each.moment,
        "action": "session.started" if each.succeeds else "sign_in.failed",
        "actor_id": each.user_id if each.succeeds else None,
        "origin": Origin.WEB.value,
        "target_kind": None if each.user_id is None else "user",
        "target_id": None if each.user_id is None else str(each.user_id),
        "address": each.address,
    }
