"""Changes of the caller's own email address, for the API and the pages alike."""

from userapi.users import act_rules, email_verification

from . import proof, set_up_sessions
from .caller import Caller


def request_email_change(caller: Caller, email: str, password: str | None) -> bool:
    """Request a change of email, which takes effect when the link in the email to the new address is opened.

    A caller who has to set up a second step may replace only an address that was never confirmed: a factor requires a
    confirmed one, and a mistyped one cannot be confirmed. No mailbox has shown yet that it belongs to the account.

    Args:
        caller: whose email.
        email: as typed.
        password: the current one, which counts as a recent proof where no second step is on.

    Returns:
        False when it is the user's email already.

    Raises:
        ProofNeeded, WrongPassword, TokenRevoked, TooManyRequests: as `proof.lock_after_proof` does.
        SecondStepRequired: the address was confirmed, and the caller has to set up or give a second step.
        InvalidEmail, EmailTaken, hooks.Denied: nothing is written then.
    """
    user = proof.lock_after_proof(caller, password)
    set_up_sessions.require_full(caller.is_for_set_up and user.email_verified_at is not None)
    is_requested = email_verification.request_email_change(user, email)
    if is_requested:
        act_rules.run("user.edit", user, {"email": email}, user)
    return is_requested
