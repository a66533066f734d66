"""The numbers of events tell receivers which of two changes of an account is the newer one."""

from itertools import pairwise

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.race import run_simultaneously
from tests.support.webhook_receivers import add_webhook, received, receiver
from userapi.audit import queries as audit_queries
from userapi.core.db import db
from userapi.webhooks import delivery

EDITS = 50


@pytest.mark.both
def test_W38_the_numbers_of_one_users_events_rise_in_the_order_of_the_changes_when_many_edit_at_the_same_time(
    sender: Flask, user: ApiUser
) -> None:
    def edit(number: int) -> int:
        return user.patch("/userapi/auth/user/", json={"last_name": f"Name {number}"}).status_code

    with receiver() as server:
        add_webhook(server, ["user.changed"])
        statuses = run_simultaneously([lambda number=number: edit(number) for number in range(EDITS)])
        db.session.rollback()
        sent = delivery.deliver_due()

    arrived = [request.sequence for request in received(server)]
    changes = [audit_queries.find_event(number).changes["last_name"] for number in sorted(arrived)]
    assert statuses.count(200) == sent == len(set(arrived)) > EDITS / 2
    assert all(before[1] == after[0] for before, after in pairwise(changes))
    assert arrived == sorted(arrived)
