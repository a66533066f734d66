"""`flask webhooks`: what operators do with webhooks."""

import re
from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from flask import Flask

from tests.support.factories import new_user
from tests.support.raw_server import RawServer, raw_server, respond_with

Run = Callable[..., Result]


@pytest.fixture
def receiver(app: Flask) -> Iterator[RawServer]:
    """A receiver on this machine, which events may be sent to."""
    app.config["WEBHOOK_ALLOWED_NETWORKS"] = ("127.0.0.0/8",)
    with raw_server(respond_with(b"thanks")) as server:
        yield server


@pytest.fixture
def run(app: Flask) -> Run:
    """Return a function that runs a command."""
    return lambda *arguments: app.test_cli_runner().invoke(args=["webhooks", *arguments])


def cells(result: Result) -> list[list[str]]:
    """The rows that a command printed."""
    return [line.split("\t") for line in result.stdout.splitlines()[1:]]


def test_operators_create_test_disable_enable_and_delete_a_webhook(app: Flask, receiver: RawServer, run: Run) -> None:
    added = run("add", receiver.url, "--event", "user.created", "--event", "group.*", "--include-user")
    webhook_id, secret = re.fullmatch(r"Created the webhook (\S+)\.\nSecret: (whsec_\S+)\n", added.stdout).groups()  # type: ignore[union-attr]
    assert cells(run("list")) == [[webhook_id, "active", receiver.url, "group.* user.created", "0", ""]]

    tested = run("test", webhook_id)
    assert (tested.exit_code, tested.stdout.splitlines()[1:]) == (0, ["thanks"])
    rotated = run("rotate", webhook_id, "--overlap", "0")
    assert rotated.stdout.startswith("Secret: whsec_")
    assert secret not in rotated.stdout

    assert run("disable", webhook_id).exit_code == 0
    app.test_client().post("/userapi/users/", json=new_user())
    assert run("deliver").stdout == "0 delivery attempts.\n"
    [held] = cells(run("deliveries", webhook_id))
    assert held[1:3] == ["held", "user.created"]
    assert run("enable", webhook_id).exit_code == 0
    assert run("deliver").stdout == "1 delivery attempt.\n"
    assert [row[5] for row in cells(run("deliveries", webhook_id, "--state", "delivered"))] == ["200"]

    assert run("replay", webhook_id, held[0]).stdout == "1 event queued to be sent again.\n"
    run("deliver")
    assert len(receiver.requests) == 3
    assert run("replay", webhook_id).exit_code == 2
    assert run("replay", webhook_id, "--since", "2020-01-01", "--until", "2020-01-02").stdout.startswith("0 events")
    assert run("delete", webhook_id).exit_code == 1
    assert run("delete", webhook_id, "--yes").exit_code == 0
    assert cells(run("list")) == []


def test_a_test_that_is_not_accepted_fails_the_command(receiver: RawServer, run: Run) -> None:
    with raw_server(respond_with(b"", "500 Oops")) as broken:
        added = run("add", broken.url, "--all-events")
        webhook_id = re.findall(r"webhook (\S+)\.", added.stdout)[0]
        tested = run("test", webhook_id)

    assert tested.exit_code == 1
    assert tested.stdout.startswith("500 after ")
    assert "The receiver has not accepted the test." in tested.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["add", "http://hook.example.com/", "--all-events"], 1),
        (["add", "https://hook.example.com/"], 2),
        (["add", "https://hook.example.com/", "--event", "user.vanished"], 1),
        (["enable", "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35"], 1),
        (["enable", "x"], 2),
        (["deliveries", "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35"], 1),
    ],
)
def test_wrong_arguments_are_explained(run: Run, arguments: list[str], code: int) -> None:
    result = run(*arguments)

    assert result.exit_code == code
    assert result.output.strip()
