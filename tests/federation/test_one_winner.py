"""Visits, tickets and identities that several requests use at the same time: one wins, on both databases."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.fake_provider import FakeProvider
from tests.support.race import run_simultaneously
from tests.support.visits import BROWSER, answer, begin, prove
from userapi.auth import identity_changes, provider_sign_in, pruning
from userapi.auth.admission import Identified
from userapi.auth.assurance import Proof
from userapi.core import clock
from userapi.core.db import db, read_all
from userapi.core.problems import Problem
from userapi.federation import identities, providers, queries, tickets, visits
from userapi.federation.assertions import Assertion
from userapi.federation.tickets import Use
from userapi.users import queries as user_queries

pytestmark = pytest.mark.both

ASSERTION = Assertion("https://login.acme.example", "248289761001", "wren@example.org", True)


def run(app: Flask, call: Callable[[], Any]) -> Callable[[], str]:
    """A call in a request of its own, which commits; what it returns, or the code of the problem."""

    def request() -> str:
        with app.test_request_context(method="POST"):
            try:
                result = call()
                db.session.commit()
                return str(result)
            except Problem as error:
                db.session.rollback()
                return error.code

    return request


def test_I03_one_of_ten_equal_answers_reaches_the_provider(provider_app: Flask, acme: FakeProvider) -> None:
    query = acme.visit(begin(provider_app).url)

    def come_back() -> str:
        try:
            return answer(provider_app, query).subject
        except Problem as error:
            return error.code

    outcomes = run_simultaneously([come_back] * 10)

    assert sorted(outcomes) == [ASSERTION.subject, *["visit_expired"] * 9]
    assert len(acme.urls("/token")) == 1


def test_I04_a_state_of_one_provider_is_no_state_of_another(provider_app: Flask, acme: FakeProvider) -> None:
    state = begin(provider_app).state

    outcome = run(provider_app, lambda: visits.spend("other", state, BROWSER))()

    assert outcome == "visit_expired"
    assert acme.urls("/token") == []


def test_I29_one_of_ten_browsers_adopts_a_visit_that_an_app_began(provider_app: Flask, acme: FakeProvider) -> None:
    user_id = make_user(provider_app)
    state = begin(provider_app, browser_secret=None, user_id=user_id, session_version=0).state

    def adopt(browser: str) -> Callable[[], str]:
        return run(provider_app, lambda: visits.adopt(providers.find("acme"), state, browser) and browser)

    outcomes = run_simultaneously([adopt(f"browser {number}") for number in range(10)])

    (winner,) = [outcome for outcome in outcomes if outcome != "visit_expired"]
    for browser in {f"browser {number}" for number in range(10)} - {winner}:
        assert run(provider_app, lambda name=browser: visits.spend("acme", state, name))() == "visit_expired"
    assert run(provider_app, lambda: visits.spend("acme", state, winner).provider)() == "acme"


def issue(app: Flask, use: Use, **options: Any) -> str:
    """A ticket for a visit that was answered."""
    started = begin(app, **options)
    with app.test_request_context():
        visits.spend("acme", started.state, BROWSER)
        ticket = tickets.issue(visits.digest(started.state), use, ASSERTION)
        db.session.commit()
        return ticket


def test_I42_one_of_ten_apps_redeems_a_code_with_the_right_verifier(provider_app: Flask, acme: FakeProvider) -> None:
    code = issue(provider_app, Use.REDEEM, client_challenge=visits.compute_challenge("right"))

    wrong = run(provider_app, lambda: tickets.redeem(code, "wrong").subject)()
    outcomes = run_simultaneously([run(provider_app, lambda: tickets.redeem(code, "right").subject)] * 10)

    assert wrong == "visit_expired"
    assert sorted(outcomes) == [ASSERTION.subject, *["visit_expired"] * 9]


def test_I26_a_ticket_is_for_its_identity_and_its_use_only_once(provider_app: Flask, acme: FakeProvider) -> None:
    ticket = issue(provider_app, Use.REGISTRATION)

    found = run(provider_app, lambda: tickets.find(ticket, Use.REGISTRATION).subject)()
    other_use = run(provider_app, lambda: tickets.use(ticket, Use.PROOF, Use.CLAIM).subject)()
    outcomes = run_simultaneously([run(provider_app, lambda: tickets.use(ticket, Use.REGISTRATION).subject)] * 10)

    assert (found, other_use) == (ASSERTION.subject, "visit_expired")
    assert sorted(outcomes) == [ASSERTION.subject, *["visit_expired"] * 9]


def test_I30_a_code_for_a_link_is_only_for_the_user_who_began(provider_app: Flask, acme: FakeProvider) -> None:
    owner, other = make_user(provider_app), make_user(provider_app)
    options = {"user_id": owner, "session_version": 3, "client_challenge": visits.compute_challenge("right")}
    code = issue(provider_app, Use.LINK, **options)

    outcomes = [
        run(provider_app, lambda user=user: tickets.redeem(code, "right", user=user).subject)()
        for user in ((other, 3), (owner, 4), None, (owner, 3))
    ]

    assert outcomes == [*["visit_expired"] * 3, ASSERTION.subject]


def test_I28_one_of_two_accounts_gets_an_identity(provider_app: Flask, acme: FakeProvider) -> None:
    first, second = make_user(provider_app), make_user(provider_app)
    provider = provider_app.config["PROVIDERS"][0]

    outcomes = run_simultaneously(
        [
            run(provider_app, lambda who=who: identities.link(who, provider, ASSERTION) and who)
            for who in (first, second)
        ]
    )

    assert outcomes in ([str(first), "identity_taken"], ["identity_taken", str(second)])
    with provider_app.app_context():
        owned = [identities.count(user_id) for user_id in (first, second)]
    assert owned == [int(outcome != "identity_taken") for outcome in outcomes]


def test_I28_linking_twice_at_the_same_time_links_once(provider_app: Flask, acme: FakeProvider) -> None:
    user_id, provider = make_user(provider_app), provider_app.config["PROVIDERS"][0]

    outcomes = run_simultaneously([run(provider_app, lambda: identities.link(user_id, provider, ASSERTION))] * 4)

    assert len(set(outcomes)) == 1
    with provider_app.app_context():
        assert identities.count(user_id) == 1


def test_I27_after_unlinking_a_ticket_of_the_identity_links_nothing(provider_app: Flask, acme: FakeProvider) -> None:
    ticket = issue(provider_app, Use.PROOF)
    user_id, provider = make_user(provider_app), provider_app.config["PROVIDERS"][0]
    identity_id = int(run(provider_app, lambda: identities.link(user_id, provider, ASSERTION))())

    def unlink() -> Any:
        user = user_queries.lock_user(user_id)
        assert user is not None
        return identities.unlink(user, identity_id).subject

    assert run(provider_app, unlink)() == ASSERTION.subject
    assert run(provider_app, lambda: tickets.use(ticket, Use.PROOF))() == "visit_expired"
    assert run(provider_app, unlink)() == "not_found"


def test_I45_one_of_ten_requests_uses_a_nonce(provider_app: Flask, acme: FakeProvider) -> None:
    provider = provider_app.config["PROVIDERS"][0]
    run(provider_app, lambda: visits.store_nonce(provider, "nonce", clock.now()))()

    def spend() -> Any:
        row = queries.spend_nonce(visits.digest("nonce"), "acme", clock.now())
        return row and row.purpose

    assert sorted(run_simultaneously([run(provider_app, spend)] * 10)) == [*["None"] * 9, "nonce"]


def test_I58_a_visit_is_deleted_an_hour_after_it_expired(
    provider_app: Flask, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(provider_app, acme)
    later = clock.now() + visits.LIFETIME + pruning.MAX_CLOCK_DIFFERENCE
    monkeypatch.setattr(clock, "now", lambda: later)
    with provider_app.test_request_context():
        pruning.prune(later)
        assert read_all(sa.select(queries.visits.c.provider)) == []


def test_I34_an_identity_that_was_unlinked_since_it_was_proved_signs_no_one_in(
    provider_app: Flask, acme: FakeProvider
) -> None:
    user_id, provider = make_user(provider_app), provider_app.config["PROVIDERS"][0]
    run(provider_app, lambda: identities.link(user_id, provider, ASSERTION))()
    with provider_app.test_request_context():
        account = queries.find_account_of_identity(ASSERTION.issuer, ASSERTION.subject)
        db.session.execute(sa.text("DELETE FROM identities"))
        db.session.commit()
    identified = Identified(
        user_id=user_id,
        session_version=account.session_version,
        way=provider_sign_in.way_of(provider),
        proof=Proof.PROVIDER,
        password=None,
        needs_second_step=False,
        identity_id=account.identity_id,
    )

    assert run(provider_app, lambda: provider_sign_in.admit(identified, None).id)() == "provider_declined"
    with provider_app.app_context():
        assert read_all(sa.text("SELECT id FROM login_sessions")) == []  # type: ignore[arg-type]


def test_I34_no_session_of_an_identity_outlives_a_parallel_unlink(provider_app: Flask, acme: FakeProvider) -> None:
    user_id, provider = make_user(provider_app), provider_app.config["PROVIDERS"][0]

    def unlink(identity_id: int) -> str:
        user = user_queries.lock_user(user_id)
        assert user is not None
        return identity_changes.unlink_from(user, identity_id)

    for _round in range(10):
        identity_id = int(run(provider_app, lambda: identities.link(user_id, provider, ASSERTION))())
        calls = [
            run(provider_app, lambda: type(provider_sign_in.sign_in_with(provider, "unknown", ASSERTION)).__name__),
            run(provider_app, lambda known=identity_id: unlink(known)),
        ]
        signed_in, unlinked = run_simultaneously(calls)
        assert unlinked == "Acme"
        assert signed_in in ("SignedIn", "provider_declined", "visit_expired")  # known, unlinked since, or unknown
        with provider_app.app_context():
            assert read_all(sa.text("SELECT id FROM login_sessions WHERE ended_at IS NULL")) == []  # type: ignore[arg-type]
