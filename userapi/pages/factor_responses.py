"""The page that follows when a factor was added."""

from flask import url_for

from userapi.auth import proof
from userapi.auth.assurance import Proof
from userapi.auth.caller import Caller
from userapi.mfa.factors import Added

from .single_submission import Done


def respond_to_new_factor(caller: Caller, added: Added, given: Proof, notice: str) -> Done:
    """Show new recovery codes or the security page next.

    Args:
        caller: who has added the factor.
        added: the factor.
        given: the proof that the caller has given with it, which counts if it is the first factor.
        notice: as for `Done`.
    """
    if added.is_first:
        proof.add_proof(caller, given)
    following = "pages.show_security" if added.recovery_codes is None else "pages.show_recovery_codes"
    return Done(
        url_for(following),
        notice,
        session_id=str(caller.session_id) if added.is_first else None,
        recovery_codes=added.recovery_codes,
    )
