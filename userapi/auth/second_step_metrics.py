"""Counting the second steps of sign-ins by their outcome, for operators."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from userapi.mfa import codes
from userapi.mfa.passkey_problems import InvalidPasskey
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.observability.metrics import get_current_metrics
from userapi.security.throttling import TooManyRequests


def count_code(code: str) -> AbstractContextManager[None]:
    """Count the second step that the block does with a code, whose form says what kind it is."""
    return _count("totp" if codes.is_like_code_of_app(code) else "recovery_code")


def count_passkey() -> AbstractContextManager[None]:
    """Count the second step that the block does with a passkey."""
    return _count("passkey")


@contextmanager
def _count(kind: str) -> Iterator[None]:
    counter = get_current_metrics().second_steps
    try:
        yield
    except (InvalidCode, InvalidPasskey):
        counter.labels(kind, "rejected").inc()
        raise
    except (SecondStepLocked, TooManyRequests):
        counter.labels(kind, "blocked").inc()
        raise
    counter.labels(kind, "accepted").inc()
