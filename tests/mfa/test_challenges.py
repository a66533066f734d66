"""Challenges: signed, for one purpose and one holder, for five minutes."""

from datetime import timedelta

import pytest
from flask import Flask

from userapi.core import clock
from userapi.mfa import challenges
from userapi.mfa.challenges import Purpose


def test_S39_a_challenge_is_valid_for_its_purpose_and_holder_only(app: Flask) -> None:
    with app.app_context():
        challenge = challenges.issue(Purpose.PROOF, b"one")

        assert challenges.is_valid(challenge, Purpose.PROOF, b"one")
        assert not challenges.is_valid(challenge, Purpose.PROOF, b"two")
        assert not challenges.is_valid(challenge, Purpose.PROOF)
        assert not any(
            challenges.is_valid(challenge, purpose, b"one") for purpose in Purpose if purpose != Purpose.PROOF
        )


def test_S39_a_changed_cut_or_invented_challenge_is_not_valid(app: Flask) -> None:
    with app.app_context():
        challenge = challenges.issue(Purpose.SIGN_IN)

        for index in range(len(challenge)):
            changed = bytearray(challenge)
            changed[index] ^= 1
            assert not challenges.is_valid(bytes(changed), Purpose.SIGN_IN)
            assert not challenges.is_valid(challenge[:index], Purpose.SIGN_IN)
        assert not challenges.is_valid(challenge + b"\x00", Purpose.SIGN_IN)
        assert not challenges.is_valid(bytes(56), Purpose.SIGN_IN)


def test_S39_a_challenge_expires_after_five_minutes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.app_context():
        challenge, now = challenges.issue(Purpose.SIGN_IN), clock.now()

        monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=298))
        assert challenges.is_valid(challenge, Purpose.SIGN_IN)
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=301))
        assert not challenges.is_valid(challenge, Purpose.SIGN_IN)


def test_S39_a_challenge_of_another_installation_is_not_valid(app: Flask) -> None:
    with app.app_context():
        challenge = challenges.issue(Purpose.SIGN_IN)
        app.config["SECRET_KEY"] = "q8f0RkT3-another-installation-Zx71vB"

        assert not challenges.is_valid(challenge, Purpose.SIGN_IN)
