"""Keeps the code of extensions from ending the transaction of the act that calls it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction

from .db import db


class TransactionEnded(RuntimeError):
    """Code that is called within a transaction has committed it, rolled it back or closed it."""


@dataclass(slots=True)
class _Guard:
    """What code that may not end the transaction has done.

    Attributes:
        name: of the code, for the log.
        has_ended: whether it has tried to commit, or has ended the transaction.
    """

    name: str
    has_ended: bool = False


_guard: ContextVar[_Guard | None] = ContextVar("transaction_guard", default=None)


@contextmanager
def keep_transaction(name: str) -> Iterator[None]:
    """Let the code in this block write and use savepoints, but neither commit nor roll back.

    Args:
        name: of the code, for the log.

    Raises:
        TransactionEnded: it did, even if it has caught the error itself; nothing was committed.
    """
    _listen("before_commit", _reject_commit)
    _listen("after_transaction_end", _note_end)
    outer, guard = _guard.get(), _Guard(name)
    token = _guard.set(guard)
    try:
        yield
    finally:
        _guard.reset(token)
        if outer and guard.has_ended:
            outer.has_ended = True
    if guard.has_ended:
        raise TransactionEnded(f"{name} must not commit, roll back or close the session: its caller does.")


def _listen(event: str, listener: object) -> None:
    if not sa.event.contains(db.session, event, listener):  # type: ignore[arg-type]
        sa.event.listen(db.session, event, listener)  # type: ignore[arg-type]


def _reject_commit(session: Session) -> None:
    guard = _guard.get()
    if guard and not session.in_nested_transaction():
        guard.has_ended = True
        raise TransactionEnded(f"{guard.name} must not commit: its caller does.")


def _note_end(_session: Session, ended: SessionTransaction) -> None:
    guard = _guard.get()
    if guard and ended.parent is None:
        guard.has_ended = True
