"""The letters we send, one function each: plain facts in, a row in the outbox."""

from datetime import datetime

from userapi.core.db import db

from . import outbox


def verify_email(*, recipient: str, name: str, link: str, secret: str) -> None:
    """Ask for a new account's address to be confirmed."""
    outbox.write("verify_email", recipient, "Confirm your email address", secret=secret, name=name, link=link)


def confirm_new_email(*, recipient: str, name: str, link: str, secret: str) -> None:
    """Ask, at the new address, for a change of address to be confirmed."""
    outbox.write("confirm_new_email", recipient, "Confirm your new email address", secret=secret, name=name, link=link)


def email_changed(*, recipient: str, name: str, new_address: str) -> None:
    """Tell the old address that another one has taken its place."""
    outbox.write("email_changed", recipient, "Your email address was changed", name=name, new_address=new_address)


def reset_password(*, recipient: str, name: str, link: str, secret: str, minutes: int) -> None:
    """Give the link that sets a new password."""
    outbox.write(
        "reset_password", recipient, "Reset your password", secret=secret, name=name, link=link, minutes=minutes
    )


def password_changed(*, recipient: str, name: str, when: datetime, address: str | None) -> None:
    """Tell that the password is another one now."""
    outbox.write("password_changed", recipient, "Your password was changed", name=name, when=when, address=address)


def new_sign_in(*, recipient: str, name: str, when: datetime, address: str | None, user_agent: str | None) -> None:
    """Tell of a sign-in from an address and browser not seen before."""
    outbox.write(
        "new_sign_in",
        recipient,
        "New sign-in to your account",
        name=name,
        when=when,
        address=address,
        user_agent=user_agent,
    )


def rights_granted(*, recipient: str, name: str, rights: list[str]) -> None:
    """Tell of new staff rights."""
    outbox.write("rights_granted", recipient, "You were given more rights", name=name, rights=rights)


def decoy() -> None:
    """Do the work of a letter and keep nothing, so that an unknown address takes as long as a known one."""
    with db.session.begin_nested() as savepoint:
        outbox.write("reset_password", "nobody@example.com", "", name="", link="", minutes=60)
        db.session.flush()
        savepoint.rollback()
