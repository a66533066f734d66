"""`flask mail`: how an operator handles queued and failed emails."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from processes import free_port

from tests.support.factories import make_user
from tests.support.servers import SmtpSink
from userapi.core import batches, clock
from userapi.core.db import db
from userapi.mail import emails

LINK = "http://accounts.example.com/reset/7/t0ken/"


def mail(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["mail", *arguments])


def queue(app: Flask, *recipients: str) -> None:
    with app.app_context():
        for recipient in recipients:
            emails.send_password_reset(emails.Recipient(recipient, "Wren"), link=LINK, secret="t0ken", minutes=60)
        db.session.commit()


def listed(app: Flask, *arguments: str) -> list[list[str]]:
    result = mail(app, "list", *arguments)
    assert result.exit_code == 0, result.output
    header, *lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert header == ["id", "state", "kind", "recipient", "age", "attempts", "last error"]
    return lines


def id_of(app: Flask, recipient: str) -> str:
    (found,) = [cells[0] for cells in listed(app) if cells[3] == recipient]
    return found


def test_deliver_sends_due_emails_and_prints_their_number(mail_app: Flask, sink: SmtpSink) -> None:
    queue(mail_app, "one@example.com", "two@example.com")

    first, second = mail(mail_app, "deliver"), mail(mail_app, "deliver")

    assert (first.exit_code, first.stdout, first.stderr) == (0, "2 emails sent.\n", "")
    assert (second.exit_code, second.stdout) == (0, "0 emails sent.\n")
    assert len(sink.messages) == 2


def test_deliver_uses_as_many_connections_as_needed(
    mail_app: Flask, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("userapi.cli.mail.BATCH", 2)
    queue(mail_app, *(f"person{number}@example.com" for number in range(5)))

    result = mail(mail_app, "deliver")

    assert result.stdout == "5 emails sent.\n"


def test_deliver_fails_with_one_line_when_an_email_could_not_be_sent(mail_app: Flask, sink: SmtpSink) -> None:
    queue(mail_app, "one@example.com", "gone@example.com")
    sink.rejected_recipients.add("gone@example.com")

    result = mail(mail_app, "deliver")

    assert (result.exit_code, result.stdout) == (1, "1 email sent.\n")
    assert result.stderr.count("\n") == 1
    assert "0 delayed, 1 failed" in result.stderr


def test_deliver_says_that_emails_stay_queued_when_no_mail_server_is_set(app: Flask) -> None:
    queue(app, "one@example.com")

    result = mail(app, "deliver")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("Error: MAIL_SERVER: Not set")
    assert [cells[1] for cells in listed(app)] == ["due"]


def test_list_shows_the_state_of_each_email_newest_first(mail_app: Flask, sink: SmtpSink) -> None:
    queue(mail_app, "sent@example.com", "gone@example.com")
    sink.rejected_recipients.add("gone@example.com")
    mail(mail_app, "deliver")
    sink.reply = "451 4.3.0 Try again later"
    queue(mail_app, "delayed@example.com")
    mail(mail_app, "deliver")
    queue(mail_app, "due@example.com")

    rows = listed(mail_app)

    due, delayed, gone, sent = (cells[1:] for cells in rows)
    assert due == ["due", "reset_password", "due@example.com", "0 minutes", "0", ""]
    assert delayed[0].startswith("due ")
    assert delayed[4:] == ["1", "451 4.3.0 Try again later"]
    assert gone == ["failed", "reset_password", "gone@example.com", "0 minutes", "1", "550 5.1.1 No such mailbox"]
    assert sent == ["sent", "reset_password", "sent@example.com", "0 minutes", "1", ""]
    for state in ("failed", "given-up"):
        assert [cells[3] for cells in listed(mail_app, "--state", state)] == ["gone@example.com"]
    assert [cells[3] for cells in listed(mail_app, "--limit", "1")] == ["due@example.com"]


def test_show_prints_an_email_with_its_link(app: Flask) -> None:
    queue(app, "one@example.com")
    number = id_of(app, "one@example.com")

    text, html = mail(app, "show", number), mail(app, "show", number, "--html")

    assert text.exit_code == html.exit_code == 0
    assert text.stdout.startswith("To: one@example.com\nSubject: Reset your password\nState: due\n\nHello Wren,\n")
    assert LINK in text.stdout
    assert f'href="{LINK}"' in html.stdout


def test_a_failed_email_is_sent_unchanged_after_a_retry(mail_app: Flask, sink: SmtpSink) -> None:
    queue(mail_app, "gone@example.com", "other@example.com")
    sink.rejected_recipients |= {"gone@example.com", "other@example.com"}
    mail(mail_app, "deliver")
    sink.rejected_recipients.clear()
    assert mail(mail_app, "deliver").stdout == "0 emails sent.\n"

    retried = mail(mail_app, "retry", id_of(mail_app, "gone@example.com"))
    delivered = mail(mail_app, "deliver")

    assert (retried.exit_code, retried.stdout) == (0, "1 email queued for delivery.\n")
    assert delivered.stdout == "1 email sent.\n"
    (message,) = sink.messages
    assert message["To"] == "gone@example.com"
    part = message.get_body(("plain",))
    assert part is not None
    assert LINK in part.get_content()


def test_retry_all_queues_only_failed_emails(mail_app: Flask, sink: SmtpSink) -> None:
    queue(mail_app, "gone@example.com", "other@example.com", "sent@example.com")
    sink.rejected_recipients |= {"gone@example.com", "other@example.com"}
    mail(mail_app, "deliver")
    sink.rejected_recipients.clear()

    retried = mail(mail_app, "retry", "--all")
    delivered = mail(mail_app, "deliver")

    assert retried.stdout == "2 emails queued for delivery.\n"
    assert delivered.stdout == "2 emails sent.\n"


def test_K04_old_emails_are_pruned_and_events_stay(
    mail_app: Flask, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROWS_PER_TRANSACTION", 2)
    sink.rejected_recipients.add("gone@example.com")
    queue(mail_app, "gone@example.com", *(f"person{number}@example.com" for number in range(4)))
    mail(mail_app, "deliver")
    queue(mail_app, "waits@example.com")
    make_user(mail_app)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=89))
    assert mail(mail_app, "prune").stdout == "0 emails deleted.\n"

    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=91))
    pruned = [mail(mail_app, "prune", *more).stdout for more in (("--days", "100"), (), ())]

    assert pruned == ["0 emails deleted.\n", "5 emails deleted.\n", "0 emails deleted.\n"]
    assert "waits@example.com" in [cells[3] for cells in listed(mail_app)]
    with mail_app.app_context():
        assert db.session.scalar(sa.text("SELECT count(*) FROM audit_events WHERE action = 'user.created'")) == 1


@pytest.mark.parametrize("command", ["show", "retry"])
def test_an_unknown_email_id_gets_one_line_on_stderr(app: Flask, command: str) -> None:
    result = mail(app, command, "4711")

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "4711" in result.stderr


def test_a_sent_email_cannot_be_retried(mail_app: Flask, sink: SmtpSink) -> None:
    queue(mail_app, "one@example.com")
    mail(mail_app, "deliver")

    result = mail(mail_app, "retry", id_of(mail_app, "one@example.com"))

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert mail(mail_app, "deliver").stdout == "0 emails sent.\n"


@pytest.mark.parametrize("arguments", [(), ("1", "--all"), ("0",), ("one",)])
def test_retry_requires_one_email_or_all(app: Flask, arguments: tuple[str, ...]) -> None:
    assert mail(app, "retry", *arguments).exit_code == 2


def test_a_test_email_is_sent_immediately_and_the_reply_is_shown(mail_app: Flask, sink: SmtpSink) -> None:
    result = mail(mail_app, "test", "ada@example.com")

    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(rf"{sink.host}:{sink.port} accepted the email: 250 .+\n", result.stdout)
    assert len(sink.messages) == 1
    assert listed(mail_app) == []


def test_a_rejected_test_email_shows_the_reply_of_the_server(mail_app: Flask, sink: SmtpSink) -> None:
    sink.rejected_recipients.add("gone@example.com")

    result = mail(mail_app, "test", "gone@example.com")

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert re.match(rf"Error: {sink.host}:{sink.port} did not accept the email: 550 ", result.stderr)


@pytest.mark.parametrize(
    ("recipient", "server", "said"),
    [
        ("ada@example.com", None, "MAIL_SERVER: Not set"),
        ("ada@example.com", "127.0.0.1", "did not accept the email: ConnectionRefusedError"),
        ("ada", "127.0.0.1", "Not a valid email address"),
    ],
)
def test_a_test_email_that_cannot_be_sent_gets_one_line(
    app: Flask, recipient: str, server: str | None, said: str
) -> None:
    app.config |= {"MAIL_SERVER": server or "", "MAIL_PORT": free_port()}
    app.extensions["mail"].server, app.extensions["mail"].port = server, app.config["MAIL_PORT"]

    result = mail(app, "test", recipient)

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert said in result.stderr


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        (timedelta(seconds=5), "1 minute"),
        (timedelta(minutes=61), "1 hour"),
        (timedelta(hours=30), "1 day"),
        (timedelta(days=9), "1 week"),
    ],
)
def test_the_age_of_an_email_is_in_words(
    app: Flask, monkeypatch: pytest.MonkeyPatch, age: timedelta, shown: str
) -> None:
    queue(app, "one@example.com")
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + age)

    assert [cells[4] for cells in listed(app)] == [shown]


def test_a_retry_is_recorded(mail_app: Flask, sink: SmtpSink) -> None:
    queue(mail_app, "gone@example.com", "lost@example.com")
    sink.rejected_recipients |= {"gone@example.com", "lost@example.com"}
    mail(mail_app, "deliver")
    number = id_of(mail_app, "gone@example.com")

    assert mail(mail_app, "retry", number).exit_code == 0
    assert mail(mail_app, "retry", "--all").exit_code == 0
    assert mail(mail_app, "retry", "--all").exit_code == 0  # no failed email is left

    with mail_app.app_context():
        statement = sa.text("SELECT target_id, origin FROM audit_events WHERE action = 'message.retried' ORDER BY id")
        assert [tuple(row) for row in db.session.execute(statement)] == [(number, "cli"), (None, "cli")]
