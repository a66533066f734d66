"""The activity of made-up users in the last 30 days: sign-ins, failed sign-ins and sessions."""

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

#: The number of days with activity.
DAYS = 30

#: One of so many accounts is inactive, is staff, has an unverified email address, or was created within those days.
INACTIVE, STAFF, UNVERIFIED, RECENT = 23, 37, 11, 9

#: The share of accounts without a sign-in within those days.
QUIET = 0.3

#: The average and maximum number of sign-ins of a user, and the share of those after a wrong password.
AVERAGE_SIGN_INS, MAX_SIGN_INS, MISTYPED = 2.5, 12, 0.12

#: Sign-ins to accounts that do not exist, as a share of the others.
UNKNOWN = 0.03

#: The number of newest sessions of a user that are not signed out.
OPEN_SESSIONS = 2

#: The share of sign-ins on weekends that move to a random day.
WEEKDAYS = 0.7

#: The average hour (UTC) of sign-ins, and the standard deviation in hours.
MEAN_HOUR, HOUR_DEVIATION = 13.5, 3.5

DEVICES = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26 Safari/605.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 Version/26.1 Mobile/15E148 Safari/604",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)

#: Networks reserved for documentation (RFC 5737).
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")


class _SignIn(NamedTuple):
    """An attempt to sign in; `user_id` is None if no account has the email address."""

    moment: datetime
    user_id: int | None
    ip: str
    succeeds: bool


class Activity:
    """The activity of the users of a crowd: a `Past`. The same seed gives the same activity.

    Args:
        seed: any text.
    """

    def __init__(self, seed: str) -> None:
        self.chance = random.Random(f"{seed} activity")  # noqa: S311 - nothing secret comes from it
        self.now = clock.now()
        self.first = self.now - timedelta(days=DAYS)
        self.number_of_users = 0
        self.sign_ins: list[_SignIn] = []
        self.active: set[int] = set()

    def prepare(self, rows: Sequence[NewUser]) -> list[NewUser]:
        """The rows of users, changed as by their activity; `write` inserts that activity."""
        self.sign_ins, self.active = [], set()
        prepared = [self._account(row) for row in rows]
        for _number in range(round(len(self.sign_ins) * UNKNOWN)):
            self.sign_ins.append(_SignIn(self._moment(self.first), None, self._ip(), succeeds=False))
        return prepared

    def write(self, user_ids: Collection[int]) -> None:
        """Insert the events and sessions of the users who were inserted."""
        sign_ins = sorted(
            (each for each in self.sign_ins if each.user_id is None or each.user_id in user_ids),
            key=lambda each: each.moment,
        )
        if sign_ins:
            audit_log.record_history([_event(each) for each in sign_ins])
        sessions = list(self._sessions(sign_ins))
        if sessions:
            db.session.execute(sa.insert(Session), sessions)

    def _account(self, row: NewUser) -> NewUser:
        self.number_of_users += 1
        is_verified = self.number_of_users % UNVERIFIED != 0
        joined = row.columns["date_joined"] if self.number_of_users % RECENT else self._moment(self.first)
        last_login = self._sign_in(row.id, joined) if is_verified and self.chance.random() >= QUIET else None
        is_active = self.number_of_users % INACTIVE != 0
        if is_active:
            self.active.add(row.id)
        past = {
            "date_joined": joined,
            "email_verified_at": joined if is_verified else None,
            "last_login": last_login,
            "is_active": is_active,
            "is_staff": self.number_of_users % STAFF == 0,
        }
        return row._replace(columns=row.columns | past)

    def _sign_in(self, user_id: int, joined: datetime) -> datetime:
        """Draw several sign-ins of a user; returns the time of the last one."""
        ip, last = self._ip(), joined
        for _number in range(min(1 + int(self.chance.expovariate(1 / AVERAGE_SIGN_INS)), MAX_SIGN_INS)):
            moment = self._moment(max(joined, self.first))
            if self.chance.random() < MISTYPED:
                before = moment - timedelta(seconds=self.chance.uniform(4, 40))
                self.sign_ins.append(_SignIn(before, user_id, ip, succeeds=False))
            self.sign_ins.append(_SignIn(moment, user_id, ip, succeeds=True))
            last = max(last, moment)
        return last

    def _moment(self, first: datetime) -> datetime:
        """A random time since `first`, mostly during the day and on weekdays."""
        chance = self.chance
        day = first + (self.now - first) * chance.random()
        if day.weekday() >= 5 and chance.random() < WEEKDAYS:
            day = first + (self.now - first) * chance.random()
        midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = midnight + timedelta(hours=min(max(chance.gauss(MEAN_HOUR, HOUR_DEVIATION), 0), 23.99))
        return moment if first <= moment <= self.now else first + (self.now - first) * chance.random()

    def _ip(self) -> str:
        return f"{self.chance.choice(NETWORKS)}.{self.chance.randint(1, 254)}"

    def _sessions(self, sign_ins: Sequence[_SignIn]) -> Iterator[dict[str, Any]]:
        lifetime = timedelta(seconds=current_app.config["SESSION_LIFETIME"])
        newer: dict[int, int] = {}
        for each in reversed(sign_ins):
            if not each.succeeds or each.user_id is None:
                continue
            number = newer[each.user_id] = newer.get(each.user_id, 0) + 1
            used = each.moment + (self.now - each.moment) * self.chance.random() ** 2
            is_open = number <= OPEN_SESSIONS and each.user_id in self.active
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
                "address": each.ip,
                "user_agent": DEVICES[each.user_id % len(DEVICES)],
                "proved_at": each.moment,
            }


def _event(each: _SignIn) -> dict[str, Any]:
    return {
        "occurred_at": each.moment,
        "action": "session.started" if each.succeeds else "sign_in.failed",
        "actor_id": each.user_id if each.succeeds else None,
        "origin": Origin.WEB.value,
        "target_kind": None if each.user_id is None else "user",
        "target_id": None if each.user_id is None else str(each.user_id),
        "address": each.ip,
        "user_agent": DEVICES[(each.user_id or 0) % len(DEVICES)],
    }
