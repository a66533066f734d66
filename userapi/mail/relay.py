"""The connection to the mail server: Flask-Mail's, with timeouts and with its certificate checked."""

import base64
import smtplib
import ssl
import uuid
from email.charset import QP, Charset
from email.header import decode_header, make_header
from email.mime.text import MIMEText
from email.utils import parseaddr
from types import TracebackType
from typing import Any, Self

import flask_mail
from email_validator import EmailNotValidError
from flask import Flask, current_app

from userapi.core.email_domains import split_email

#: 7-bit text in short lines, which every mail server accepts.
QUOTED_PRINTABLE = Charset("utf-8")
QUOTED_PRINTABLE.body_encoding = QP


class Delayed(Exception):
    """The email was not accepted, but may be later. The text has the response of the mail server."""


class Unreachable(Delayed):
    """The mail server cannot be used at the moment, for this email or any other."""


class NotOffered(Unreachable):
    """The mail server was not reached, or did not accept our user name, password or sender.

    No email was offered to it, so this does not count as an attempt to send one.
    """


class Rejected(Exception):
    """The email will never be accepted. The text has the response of the mail server."""


def configure(app: Flask) -> None:
    """Let Flask-Mail read its settings."""
    flask_mail.Mail(app)


class _Smtp(smtplib.SMTP):
    """Keeps the mail server's last response, which smtplib drops when an email was accepted.

    Attributes:
        response: its code and text.
    """

    response: tuple[int, bytes] = (0, b"")

    def getreply(self) -> tuple[int, bytes]:
        self.response = super().getreply()
        return self.response


class _SmtpOverTls(_Smtp, smtplib.SMTP_SSL):
    """The same, encrypted from the start."""


class Relay(flask_mail.Connection):
    """A connection, opened for the first email and closed at the end of the `with`.

    It waits at most MAIL_TIMEOUT for each response of the mail server.
    """

    def __init__(self) -> None:
        super().__init__(current_app.extensions["mail"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def configure_host(self) -> _Smtp:
        """Connect as the settings say.

        Raises:
            OSError, smtplib.SMTPException: no response, an untrusted certificate, or a failed sign-in.
            ValueError: a setting that cannot be encoded for the mail server.
        """
        # Names us by our domain, since asking the resolver for the machine's name may take for ever.
        options = {"timeout": current_app.config["MAIL_TIMEOUT"], "local_hostname": _domain()}
        if self.mail.use_ssl:
            host: _Smtp = _SmtpOverTls(self.mail.server, self.mail.port, context=_tls_context(), **options)
        else:
            host = _Smtp(self.mail.server, self.mail.port, **options)
        try:
            if self.mail.use_tls:
                host.starttls(context=_tls_context())
            if self.mail.username:
                _sign_in(host, self.mail.username, self.mail.password)
        except BaseException:
            host.close()
            raise
        return host

    def deliver(self, email: Any) -> str:
        """Hand an email over.

        Args:
            email: a row, or an `EmailMessage`.

        Returns:
            How the mail server accepted it.

        Raises:
            Rejected: the mail server responds with 5xx to the recipient or content (RFC 5321, section 4.2.1).
            Delayed: this email was not accepted at the moment.
            Unreachable: neither this email nor any other can be sent at the moment.
            NotOffered: the same, and the mail server was not offered the email.
        """
        try:
            mail = _Mail(email)
        except (EmailNotValidError, UnicodeError) as error:
            raise Rejected(f"{type(error).__name__}: {error}") from error
        self._connect()
        try:
            self.send(mail)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, said),) = error.recipients.values()
            raise _rejection(code, said) from error
        except smtplib.SMTPDataError as error:
            raise _rejection(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPSenderRefused as error:
            self._close()
            raise NotOffered(_response(error.smtp_code, error.smtp_error)) from error
        except smtplib.SMTPResponseException as error:
            self._close()
            raise Unreachable(_response(error.smtp_code, error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            self._close()
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        except flask_mail.BadHeaderError as error:
            raise Rejected(f"{type(error).__name__}: {error}") from error
        return _response(*self.host.response) if isinstance(self.host, _Smtp) else ""

    def _connect(self) -> None:
        if self.host is not None and self.host.sock is not None:
            return
        try:
            self.host = self.configure_host()
        except smtplib.SMTPResponseException as error:
            raise NotOffered(_response(error.smtp_code, error.smtp_error)) from error
        except (smtplib.SMTPException, OSError, ValueError) as error:  # ValueError: a setting that cannot be encoded
            raise NotOffered(f"{type(error).__name__}: {error}") from error

    def _close(self) -> None:
        """End the connection, with QUIT if the mail server still responds."""
        host, self.host = self.host, None
        if host is not None:
            try:
                if host.sock is not None:
                    host.quit()
            except (smtplib.SMTPException, OSError):
                pass  # emails that it accepted stay accepted
            finally:
                host.close()


class _Mail(flask_mail.Message):
    """An email for Flask-Mail: one recipient, and the same Message-ID and date in every attempt."""

    def __init__(self, email: Any) -> None:
        super().__init__(
            subject=email.subject,
            recipients=[("", _in_ascii(email.recipient))],
            body=email.text,
            html=email.html,
            date=email.created_at.timestamp(),
            extra_headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: prevents automatic replies
        )
        self.msgId = message_id(email.message_id)
        self.sender = _sender()

    def _mimetext(self, text: str | None, subtype: str = "plain") -> MIMEText:
        return MIMEText(text or "", subtype, QUOTED_PRINTABLE)  # type: ignore[arg-type]


def message_id(number: uuid.UUID) -> str:
    """The Message-ID of an email (RFC 5322, section 3.6.4)."""
    return f"<{number}@{_domain()}>"


def list_headers(email: Any) -> list[tuple[str, str]]:
    """The headers of an email, decoded: names and values, in the order in which the mail server gets them.

    Returns:
        An empty list for a recipient that cannot be written in a header; such an email fails.
    """
    try:
        headers = _Mail(email)._message().items()
    except (EmailNotValidError, UnicodeError):
        return []
    return [(name, str(make_header(decode_header(str(value))))) for name, value in headers]


def _tls_context() -> ssl.SSLContext:
    """Trusts the authorities of this machine, or of the file SSL_CERT_FILE; host names are checked."""
    return ssl.create_default_context()


def _sign_in(host: smtplib.SMTP, username: str, password: str) -> None:
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
    """The display name and the email of the sender: a pair, since Flask-Mail would parse a string again."""
    sender: str = current_app.config["MAIL_DEFAULT_SENDER"]
    name, email = parseaddr(sender)
    if not email:  # `parseaddr` of Python 3.11.2 reads no address literal (RFC 5321, section 4.1.3)
        name, _bracket, email = sender.rpartition("<")
    return name.strip(' "'), email.strip("> ")


def _domain() -> str:
    return _sender()[1].rpartition("@")[2]


def _in_ascii(email: str) -> str:
    """An email address with the A-label of its domain (RFC 5891); Flask-Mail uses IDNA 2003, a different domain."""
    local, domain = split_email(email, is_intranet=True)
    if not local.isascii():
        raise EmailNotValidError("Non-ASCII characters before the @ are not supported.")
    return f"{local}@{domain}"


def _rejection(code: int, said: bytes | str) -> Exception:
    return Rejected(_response(code, said)) if 500 <= code < 600 else Delayed(_response(code, said))


def _response(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
