"""The mail server that takes our letters on: Flask-Mail's connection, its waits bounded, its certificate checked."""

import base64
import smtplib
import ssl
import uuid
from email.charset import QP, Charset
from email.mime.text import MIMEText
from email.utils import parseaddr
from types import TracebackType
from typing import Any, Self

import flask_mail
from email_validator import EmailNotValidError
from flask import Flask, current_app

from userapi.core.email_domains import validated

#: 7-bit text in short lines, whatever a letter says and whatever a mail server can take.
QUOTED_PRINTABLE = Charset("utf-8")
QUOTED_PRINTABLE.body_encoding = QP


class Delayed(Exception):
    """The letter was not taken now; it may be later. The text says what the mail server said."""


class Unreachable(Delayed):
    """There is no talking to the mail server: no other letter would fare better."""


class NotAdmitted(Unreachable):
    """The mail server was not reached, or did not accept our user name, password or sender.

    No email was offered to it, so that this is no attempt to send one.
    """


class Refused(Exception):
    """The letter will never be taken. The text says what the mail server said."""


def configure(app: Flask) -> None:
    """Let Flask-Mail read its settings."""
    flask_mail.Mail(app)


class _KeepsAnswer(smtplib.SMTP):
    """Keeps the mail server's last answer, which smtplib drops when an email was accepted.

    Attributes:
        answer: its code and text.
    """

    answer: tuple[int, bytes] = (0, b"")

    def getreply(self) -> tuple[int, bytes]:
        self.answer = super().getreply()
        return self.answer


class _KeepsAnswerOverTls(_KeepsAnswer, smtplib.SMTP_SSL):
    """The same, encrypted from the start."""


class Relay(flask_mail.Connection):
    """A connection, opened by the first letter and closed at the end of the `with`.

    No wait for the mail server is longer than MAIL_TIMEOUT.
    """

    def __init__(self) -> None:
        super().__init__(current_app.extensions["mail"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hang_up()

    def configure_host(self) -> _KeepsAnswer:
        """Connect as the settings say.

        Raises:
            OSError, smtplib.SMTPException: no answer, a certificate that is not trusted, or a refused sign-in.
            ValueError: a setting that cannot be encoded for the mail server.
        """
        # Names us by our domain, since asking the resolver for the machine's name may take for ever.
        options = {"timeout": current_app.config["MAIL_TIMEOUT"], "local_hostname": _domain()}
        if self.mail.use_ssl:
            host: _KeepsAnswer = _KeepsAnswerOverTls(self.mail.server, self.mail.port, context=_trust(), **options)
        else:
            host = _KeepsAnswer(self.mail.server, self.mail.port, **options)
        try:
            if self.mail.use_tls:
                host.starttls(context=_trust())
            if self.mail.username:
                _log_in(host, self.mail.username, self.mail.password)
        except BaseException:
            host.close()
            raise
        return host

    def deliver(self, letter: Any) -> str:
        """Hand an email over.

        Args:
            letter: the email as a row.

        Returns:
            How the mail server accepted it.

        Raises:
            Refused: for good: a recipient or a content that the mail server answers with 5xx (RFC 5321, section 4.2.1).
            Delayed: this letter, for now.
            Unreachable: this letter, and any other, for now.
            NotAdmitted: the same, and the mail server was not offered the letter.
        """
        try:
            mail = _Mail(letter)
        except (EmailNotValidError, UnicodeError) as error:
            raise Refused(f"{type(error).__name__}: {error}") from error
        self._connect()
        try:
            self.send(mail)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, said),) = error.recipients.values()
            raise _refusal(code, said) from error
        except smtplib.SMTPDataError as error:
            raise _refusal(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPSenderRefused as error:
            self._hang_up()
            raise NotAdmitted(_said(error.smtp_code, error.smtp_error)) from error
        except smtplib.SMTPResponseException as error:
            self._hang_up()
            raise Unreachable(_said(error.smtp_code, error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            self._hang_up()
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        except flask_mail.BadHeaderError as error:
            raise Refused(f"{type(error).__name__}: {error}") from error
        return _said(*self.host.answer) if isinstance(self.host, _KeepsAnswer) else ""

    def _connect(self) -> None:
        if self.host is not None and self.host.sock is not None:
            return
        try:
            self.host = self.configure_host()
        except smtplib.SMTPResponseException as error:
            raise NotAdmitted(_said(error.smtp_code, error.smtp_error)) from error
        except (smtplib.SMTPException, OSError, ValueError) as error:  # ValueError: a setting that cannot be encoded
            raise NotAdmitted(f"{type(error).__name__}: {error}") from error

    def _hang_up(self) -> None:
        """Part from the mail server, politely when it still answers."""
        host, self.host = self.host, None
        if host is not None:
            try:
                if host.sock is not None:
                    host.quit()
            except (smtplib.SMTPException, OSError):
                pass  # what it took, it has taken
            finally:
                host.close()


class _Mail(flask_mail.Message):
    """A letter as Flask-Mail wants it: one recipient, and the same Message-ID and date in every attempt."""

    def __init__(self, letter: Any) -> None:
        super().__init__(
            subject=letter.subject,
            recipients=[("", _in_ascii(letter.recipient))],
            body=letter.text,
            html=letter.html,
            date=letter.created_at.timestamp(),
            extra_headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no holiday reply, please
        )
        self.msgId = message_id(letter.message_id)
        self.sender = _sender()

    def _mimetext(self, text: str | None, subtype: str = "plain") -> MIMEText:
        return MIMEText(text or "", subtype, QUOTED_PRINTABLE)  # type: ignore[arg-type]


def message_id(number: uuid.UUID) -> str:
    """The Message-ID of a letter (RFC 5322, section 3.6.4)."""
    return f"<{number}@{_domain()}>"


def _trust() -> ssl.SSLContext:
    """The authorities of this machine, or of the file that SSL_CERT_FILE names; names are checked."""
    return ssl.create_default_context()


def _log_in(host: smtplib.SMTP, username: str, password: str) -> None:
    """Sign in. smtplib only encodes ASCII; PLAIN takes UTF-8 (RFC 4616, section 2), and so does LOGIN in practice."""
    if username.isascii() and password.isascii():
        host.login(username, password)
        return
    host.ehlo_or_helo_if_needed()
    offered = host.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:
        code, said = host.docmd("AUTH", "PLAIN " + _base64(f"\0{username}\0{password}"))
    elif "LOGIN" in offered:
        code, said = host.docmd("AUTH", "LOGIN " + _base64(username))
        if code == 334:
            code, said = host.docmd(_base64(password))
    else:
        raise smtplib.SMTPNotSupportedError(
            "The server supports neither PLAIN nor LOGIN, which a non-ASCII user name or password needs."
        )
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, said)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _sender() -> tuple[str, str]:
    """The display name and the email of the sender: a pair, since Flask-Mail parses a string once more."""
    sender: str = current_app.config["MAIL_DEFAULT_SENDER"]
    name, email = parseaddr(sender)
    if not email:  # `parseaddr` of Python 3.11.2 reads no address literal (RFC 5321, section 4.1.3)
        name, _bracket, email = sender.rpartition("<")
    return name.strip(' "'), email.strip("> ")


def _domain() -> str:
    return _sender()[1].rpartition("@")[2]


def _in_ascii(address: str) -> str:
    """An address with the A-label of its domain (RFC 5891); Flask-Mail would take that of IDNA 2003, another domain."""
    local, domain = validated(address, is_intranet=True)
    if not local.isascii():
        raise EmailNotValidError("Non-ASCII characters before the @ are not supported.")
    return f"{local}@{domain}"


def _refusal(code: int, said: bytes | str) -> Exception:
    return Refused(_said(code, said)) if 500 <= code < 600 else Delayed(_said(code, said))


def _said(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
