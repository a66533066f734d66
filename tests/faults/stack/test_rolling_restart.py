"""Hosts behind nginx are restarted one by one without failed requests."""

import itertools
from collections.abc import Callable

import pytest
from stack import HOSTS, Stack

from tests.support.app_stack import Load, Response, complete_users, get, post, register, tokens_for
from tests.support.factories import new_user

pytestmark = pytest.mark.stack


def test_X02_no_request_fails_while_hosts_are_restarted_one_by_one(stack: Stack, report: Callable[[str], None]) -> None:
    token_pairs = [tokens_for(stack.url, register(stack.url)) for _ in range(9)]
    numbers = itertools.count()

    def act(number: int) -> tuple[Response, str | None]:
        """Three kinds of clients: they register, read or refresh."""
        if number % 3 == 0:
            wanted = new_user(email=f"load-x02-{next(numbers)}@example.com")
            response = post(stack.url, "/userapi/users/", wanted)
            return response, str(wanted["email"]) if response.status == 201 else None
        if number % 3 == 1:
            return get(stack.url, "/userapi/auth/user/", token_pairs[number]["access_token"]), None
        response = post(stack.url, "/api-token-refresh/", {"refresh_token": token_pairs[number]["refresh_token"]})
        token_pairs[number] = response.body if response.status == 200 else token_pairs[number]
        return response, None

    with Load(act, clients=9) as load:
        load.wait_for_more()
        for host in HOSTS:
            assert stack[host].stop() == 0
            load.wait_for_more()
            stack[host].start()
            load.wait_for_more()

    failed = [response for _moment, response in load.responses if response.status not in (200, 201)]
    kept = len(load.acknowledged & complete_users(stack))
    report(
        f"2 app hosts stopped by SIGTERM and started again: {len(load.responses)} requests, {len(failed)} failed; "
        f"{len(load.acknowledged)} writes acknowledged, {kept} of them there"
    )
    assert failed == []
    assert kept == len(load.acknowledged) > 0
