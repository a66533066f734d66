"""The emails about codes that are sent by email, one function each, as in `emails`."""

from datetime import datetime, timedelta

from flask_babel import lazy_gettext

from userapi.core import clock

from .emails import Addressee, Recipient, queue_email

#: Stands for the recipient of an email that is discarded.
SAMPLE = Recipient("sample@example.com")


def send_sign_in_code(
    to: Addressee, *, code: str, link: str, token: str | None, is_sign_in: bool, lifetime: timedelta
) -> None:
    """Send a code, and for a sign-in perhaps a link. It is not sent any more once the code has expired.

    The code is not in the subject, which mail servers log and locked phones show.

    Args:
        to: who gets the email.
        code: its digits.
        link: the URL with the token; empty without one.
        token: the secret in it; like the code, it is removed once the email is sent.
        is_sign_in: whether the code signs in; otherwise it confirms the identity of a signed-in user.
        lifetime: how long the code can be used.
    """
    grouped = f"{code[: len(code) // 2]} {code[len(code) // 2 :]}"
    queue_email(
        "sign_in_code",
        to,
        lazy_gettext("Your sign-in code") if is_sign_in else lazy_gettext("Your confirmation code"),
        secret="\n".join(filter(None, (token, grouped))),
        not_after=clock.now() + lifetime,
        code=grouped,
        link=link,
        is_sign_in=is_sign_in,
        minutes=int(lifetime.total_seconds() // 60),
    )


def send_account_claimed(to: Addressee, *, when: datetime, ip: str | None) -> None:
    """Report that the address was confirmed by a code, and that everything from before was removed."""
    queue_email("account_claimed", to, lazy_gettext("Your email address was confirmed"), when=when, address=ip)
