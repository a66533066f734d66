"""API keys: creating, using, listing and revoking them."""

import re
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.api_keys import KEYS, create_key
from tests.support.statement_counter import record_statements
from userapi.auth import api_key_format
from userapi.auth.api_key_models import ApiKey
from userapi.core import clock
from userapi.core.db import db


def with_other_end(key: str) -> str:
    """A key whose checksum is wrong."""
    return key[:-1] + ("0" if key[-1] != "0" else "1")


def unknown_key(app: Flask) -> str:
    """A key of the right form that no one has."""
    with app.app_context():
        return api_key_format.create_key()


def test_W52_a_key_is_shown_once_and_its_database_row_opens_nothing(app: Flask, user: ApiUser) -> None:
    holder = create_key(user)

    assert re.fullmatch(r"userapi_key_[0-9A-Za-z]{46}", holder.key)
    listed = user.get(KEYS).get_json()["results"]
    assert [row["id"] for row in listed] == [holder.id]
    assert listed[0]["last4"] == holder.key[-4:]
    assert "key" not in listed[0]
    with app.app_context():
        stored = " ".join(map(str, db.session.execute(sa.select(ApiKey.__table__)).one()))
        assert holder.key[-46:-6] not in stored
        digest = db.session.scalar(sa.select(ApiKey.digest))
    holder.key = f"{holder.key[:12]}{digest}"
    assert holder.code == "token_invalid"


@pytest.mark.both
def test_W53_what_is_no_key_costs_no_statement_and_a_wrong_key_one(app: Flask, user: ApiUser) -> None:
    holder = create_key(user)
    answers = []
    for key, statements in ((with_other_end(holder.key), 0), (f"{holder.key}x", 0), (unknown_key(app), 1)):
        holder.key = key
        with record_statements(app) as seen:
            answers.append(holder.get())
        assert len(seen) == statements, seen

    assert {(answer.status_code, answer.get_data()) for answer in answers} == {(401, answers[0].get_data())}


@pytest.mark.both
def test_W57_a_request_with_a_key_is_one_statement(app: Flask, staff: ApiUser) -> None:
    holder = create_key(staff, "profile", "users")
    assert holder.get().status_code == 200  # stores the first use

    with record_statements(app) as seen:
        assert holder.get().status_code == 200
    assert len(seen) == 1, seen
    with record_statements(app) as seen:
        assert holder.get(staff.url).status_code == 200
    assert len(seen) == 1, seen
    with record_statements(app) as seen:
        assert holder.get("/userapi/users/").status_code == 200
    assert len(seen) == 2, seen


@pytest.mark.both
def test_W57_the_use_of_a_key_is_stored_once_an_hour(app: Flask, user: ApiUser) -> None:
    holder = create_key(user)
    assert user.get(KEYS).get_json()["results"][0]["last_used_at"] is None

    holder.get()
    first = user.get(KEYS).get_json()["results"][0]
    holder.get()
    assert user.get(KEYS).get_json()["results"][0] == first
    assert first["last_address"] == "127.0.0.1"

    with app.app_context():
        db.session.execute(sa.update(ApiKey).values(last_used_at=clock.now() - timedelta(minutes=61)))
        db.session.commit()
    with record_statements(app) as seen:
        holder.get()
    assert len(seen) == 2, seen
    assert user.get(KEYS).get_json()["results"][0]["last_used_at"] > first["last_used_at"]


def test_W55_a_revoked_key_is_not_accepted_and_not_listed(user: ApiUser, other_user: ApiUser) -> None:
    holder = create_key(user)

    assert other_user.delete(f"{KEYS}{holder.id}/").status_code == 404
    assert holder.code is None
    assert user.delete(f"{KEYS}{holder.id}/").status_code == 204
    assert holder.code == "token_invalid"
    assert user.get(KEYS).get_json()["results"] == []
    assert user.delete(f"{KEYS}{holder.id}/").status_code == 404


@pytest.mark.both
def test_W58_a_rotated_key_has_one_successor_and_ends_with_the_overlap(app: Flask, user: ApiUser) -> None:
    holder = create_key(user, "profile", "users", addresses=["127.0.0.0/8"])

    rotated = user.post(f"{KEYS}{holder.id}/rotate/", json={"overlap": 3600})
    assert rotated.status_code == 201
    assert user.post(f"{KEYS}{holder.id}/rotate/").status_code == 404
    new, old = user.get(KEYS).get_json()["results"]
    assert (old["replaced_by"], new["id"], new["scopes"]) == (new["id"], rotated.get_json()["id"], old["scopes"])
    assert holder.code is None
    with app.app_context():
        ends_at = db.session.scalar(sa.select(ApiKey.expires_at).where(ApiKey.id == uuid.UUID(holder.id)))
    assert timedelta(minutes=59) < ends_at - clock.now() <= timedelta(hours=1)

    again = user.post(f"{KEYS}{new['id']}/rotate/", json={"overlap": 0}).get_json()
    assert replace(holder, key=rotated.get_json()["key"]).code == "token_invalid"
    assert replace(holder, key=again["key"]).code is None
