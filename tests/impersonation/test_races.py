"""Two workers get requests at the same time that would contradict each other."""

from functools import partial

import pytest
from flask import Flask

from tests.support.impersonation import make_support, own_id, sessions, sign_in_again, start
from tests.support.race import run_simultaneously
from tests.support.staff_client import staff_client, stored_value

pytestmark = [pytest.mark.both, pytest.mark.slow, pytest.mark.usefixtures("served_by_two_workers")]


def test_W72_no_impersonation_survives_a_promotion_at_the_same_time(app: Flask) -> None:
    support, boss = make_support(app), staff_client(app, is_staff=True, is_superuser=True)
    statuses = set()
    for _round in range(3):
        user, member = staff_client(app), sign_in_again(app, support)
        form = boss.form(f"/admin/users/{user.id}/access/")
        promote = partial(boss.post, f"/admin/users/{user.id}/access/", **{**form, "is_staff": "true"})

        began, promoted = run_simultaneously([partial(start, member, user.id), promote])

        assert promoted.status_code == 303
        assert stored_value(app, user.id, "is_staff")
        assert own_id(member) != user.id
        statuses.add(began.status_code)
    assert statuses <= {303, 403}


def test_W70_of_two_that_begin_at_the_same_time_one_is_left(app: Flask) -> None:
    support, users = make_support(app), [staff_client(app), staff_client(app)]
    browsers = [support, sign_in_again(app, support)]

    responses = run_simultaneously(
        [partial(start, *pair) for pair in zip(browsers, [user.id for user in users], strict=True)]
    )

    assert {response.status_code for response in responses} <= {303, 409}
    assert len([session for session in sessions(app) if session.ended_at is None]) == 1
    assert len({own_id(browser) for browser in browsers} & {user.id for user in users}) == 1
