"""Which account an identity belongs to: an email that a provider names signs in to no account by itself."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.fake_provider import ISSUER, SETTINGS, FakeProvider
from tests.support.statement_counter import record_statements
from tests.support.visits import failures, prove
from userapi.core import clock
from userapi.core.db import db
from userapi.federation import identities, matching
from userapi.federation.assertions import Assertion
from userapi.federation.matching import Known, ProofNeeded, Registration
from userapi.federation.problems import ProviderAnswerInvalid, ProviderDeclined
from userapi.observability.metrics import get_metrics
from userapi.users import accounts
from userapi.users import queries as user_queries

EMAIL = "wren@example.org"


def says(subject: str = "1", email: str | None = EMAIL, *, trusted: bool = True) -> Assertion:
    return Assertion(ISSUER, subject, email, trusted)


def match(app: Flask, assertion: Assertion) -> Any:
    with app.test_request_context():
        try:
            return matching.match(app.config["PROVIDERS"][0], assertion)
        finally:
            db.session.commit()


def link(app: Flask, user_id: int, assertion: Assertion) -> None:
    with app.test_request_context():
        identities.link(user_id, app.config["PROVIDERS"][0], assertion)
        db.session.commit()


def update(app: Flask, user_id: int, **values: Any) -> None:
    with app.app_context():
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        db.session.execute(sa.text(f"UPDATE users SET {assignments} WHERE id = :id"), {"id": user_id, **values})
        db.session.commit()


def rows(app: Flask, sql: str) -> list[Any]:
    with app.app_context():
        return [tuple(row) for row in db.session.execute(sa.text(sql))]


def test_I36_a_new_subject_with_the_address_of_an_account_has_to_prove_that_it_owns_it(provider_app: Flask) -> None:
    user_id = make_user(provider_app, email=EMAIL, email_verified=True)
    link(provider_app, user_id, says("1"))

    known, reissued = match(provider_app, says("1")), match(provider_app, says("2", "WREN@Example.org"))

    assert isinstance(known, Known)
    assert (known.account.id, known.is_new) == (user_id, False)
    assert isinstance(reissued, ProofNeeded)
    assert (reissued.account.id, reissued.must_claim) == (user_id, False)
    assert rows(provider_app, "SELECT subject FROM identities") == [("1",)]


def test_I35_an_address_that_changes_at_the_provider_changes_no_account(provider_app: Flask) -> None:
    user_id = make_user(provider_app, email=EMAIL, email_verified=True)
    make_user(provider_app, email="other@example.org", email_verified=True)
    link(provider_app, user_id, says())

    known = match(provider_app, says(email="other@example.org"))

    assert known.account.id == user_id
    assert rows(provider_app, "SELECT email FROM users ORDER BY id") == [(EMAIL,), ("other@example.org",)]
    assert rows(provider_app, "SELECT email FROM identities") == [("other@example.org",)]
    ((changes,),) = rows(provider_app, "SELECT changes FROM audit_events WHERE action = 'identity.email_changed'")
    assert EMAIL in str(changes)


def test_I20_an_address_that_the_provider_is_no_authority_for_matches_no_account(provider_app: Flask) -> None:
    make_user(provider_app, email=EMAIL, email_verified=True)

    assert match(provider_app, says(trusted=False)) == Registration(EMAIL, email_confirmed=False)
    assert match(provider_app, says(email=None)) == Registration(None, email_confirmed=False)
    assert match(provider_app, says(email="new@example.org")) == Registration("new@example.org", email_confirmed=True)


def test_I18_an_account_with_an_unconfirmed_address_has_to_be_claimed(provider_app: Flask) -> None:
    user_id = make_user(provider_app, email=EMAIL)

    found = match(provider_app, says())

    assert (found.account.id, found.must_claim) == (user_id, True)


def test_I37_accounts_that_may_not_sign_in_and_closed_registration_are_declined_alike(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(**SETTINGS, EMAIL_VERIFICATION="mandatory", PROVIDER_ACME_REGISTERS="false")
    inactive = make_user(app, email="inactive@example.org", email_verified=True)
    unconfirmed = make_user(app, email="unconfirmed@example.org")
    link(app, inactive, says("inactive"))
    link(app, unconfirmed, says("unconfirmed"))
    update(app, inactive, is_active=False)

    problems = []
    for assertion in (
        says("inactive", None),
        says("another", "inactive@example.org"),
        says("unconfirmed", None),
        says("unknown", "unknown@example.org"),
        says("unknown", None),
    ):
        with pytest.raises(ProviderDeclined) as caught:
            match(app, assertion)
        problems.append((caught.value.code, str(caught.value.detail), caught.value.headers))
    assert all(problem == problems[0] for problem in problems)
    assert failures(app) == [*["account not active"] * 3, *["registration closed"] * 2]


def test_I38_staff_are_not_found_by_address_but_by_a_linked_identity(provider_app: Flask) -> None:
    staff = make_user(provider_app, email=EMAIL, email_verified=True, is_staff=True)

    with pytest.raises(ProviderDeclined):
        match(provider_app, says())
    link(provider_app, staff, says())
    assert match(provider_app, says()).account.id == staff


def test_I25_verified_addresses_link_immediately_only_where_the_settings_say_so_and_never_for_staff(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(**SETTINGS, PROVIDER_ACME_LINKS="verified", PROVIDER_ACME_STAFF="true")
    user = make_user(app, email=EMAIL, email_verified=True)
    make_user(app, email="unconfirmed@example.org")
    make_user(app, email="staff@example.org", email_verified=True, is_staff=True)
    careful = make_user(app, email="careful@example.org", email_verified=True)
    with app.app_context():
        db.session.execute(
            sa.text("INSERT INTO second_factors (user_id, handle, active_since, failures) VALUES (:id, :h, :now, 0)"),
            {"id": careful, "h": b"1" * 64, "now": clock.now().replace(tzinfo=None)},
        )
        db.session.commit()

    linked = match(app, says("1"))
    others = [match(app, says(name, f"{name}@example.org")) for name in ("unconfirmed", "staff", "careful")]

    assert (linked.account.id, linked.is_new) == (user, True)
    assert [type(other) for other in others] == [ProofNeeded] * 3
    assert [other.must_claim for other in others] == [True, False, False]
    assert rows(app, "SELECT user_id, subject FROM identities") == [(user, "1")]


def test_I35_a_known_identity_costs_one_statement_and_one_more_a_day(
    provider_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    link(provider_app, make_user(provider_app), says())

    with record_statements(provider_app) as first:
        match(provider_app, says())
    later = clock.now() + matching.USE_INTERVAL
    monkeypatch.setattr(clock, "now", lambda: later)
    with record_statements(provider_app) as next_day:
        match(provider_app, says())

    assert [statement.split()[0] for statement in first] == ["SELECT"]
    assert [statement.split()[0] for statement in next_day] == ["SELECT", "UPDATE"]


def test_I34_an_undone_email_change_unlinks_identities(provider_app: Flask) -> None:
    user_id = make_user(provider_app, email=EMAIL)
    link(provider_app, user_id, says("1"))
    link(provider_app, user_id, says("2"))

    with provider_app.test_request_context():
        user = user_queries.lock_user(user_id)
        assert user is not None
        gone = identities.unlink_all(user)
        db.session.commit()

    assert sorted(identity.subject for identity in gone) == ["1", "2"]
    assert rows(provider_app, "SELECT id FROM identities") == []


def test_I58_a_deleted_account_leaves_no_identity(provider_app: Flask, acme: FakeProvider) -> None:
    user_id = make_user(provider_app)
    link(provider_app, user_id, says())

    with provider_app.test_request_context():
        user = user_queries.lock_user(user_id)
        assert user is not None
        accounts.delete(user)
        db.session.commit()

    assert rows(provider_app, "SELECT id FROM identities") == []


def test_what_answers_lead_to_is_counted(provider_app: Flask, acme: FakeProvider) -> None:
    link(provider_app, make_user(provider_app), says("known"))
    make_user(provider_app, email=EMAIL, email_verified=True)
    for assertion in (says("known"), says("new"), says("new", None)):
        match(provider_app, assertion)
    acme.claims = {"nonce": "another"}
    with pytest.raises(ProviderAnswerInvalid):
        prove(provider_app, acme)

    def count(outcome: str) -> float | None:
        labels = {"provider": "acme", "outcome": outcome}
        return get_metrics(provider_app).registry.get_sample_value("userapi_provider_sign_ins_total", labels)

    assert [count(outcome) for outcome in ("known", "proof", "registration", "invalid", "declined")] == [
        1,
        1,
        1,
        1,
        None,
    ]
