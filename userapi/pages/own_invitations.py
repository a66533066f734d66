"""The page on which users invite others. It exists only with the setting INVITES_PER_USER."""

from flask import url_for

from userapi.auth.caller import get_caller
from userapi.core import clock
from userapi.invitations import sending_by_users, state_texts
from userapi.invitations.models import state_of

from . import schemas
from .layout import Pages, render_page
from .single_submission import Done, submit_once
from .submitted_forms import load_form, show_on_error

blueprint = Pages("account_invitations", __name__)


@blueprint.get("/account/invitations/")
def show_invitations() -> str:
    """List the invitations that the caller has sent, and show the form that sends one."""
    own, now = sending_by_users.list_own(get_caller().user.id), clock.now()
    return render_page(
        "account/invitations.html",
        invitations=[(row, state_of(row, now).value) for row in own.rows],
        left=own.left,
        state_names=state_texts.TEXTS,
    )


@blueprint.post("/account/invitations/")
@show_on_error(show_invitations)
@submit_once
def send_invitation() -> Done:
    """Invite someone."""
    sent = load_form(schemas.own_invitation)
    invitation = sending_by_users.send(sent["email"], sent.get("language"), get_caller().user)
    return _done("invitation_sent_again" if invitation.voids_earlier_links else "invitation_sent")


def show_list_again(invitation_id: int) -> str:
    """The list after a button of an invitation that has ended, such as one in an older tab."""
    return show_invitations()


@blueprint.post("/account/invitations/<row_id:invitation_id>/resend/")
@show_on_error(show_list_again)
@submit_once
def resend_invitation(invitation_id: int) -> Done:
    """Send an invitation again with a new link."""
    sending_by_users.resend(invitation_id, get_caller().user.id)
    return _done("invitation_sent_again")


@blueprint.post("/account/invitations/<row_id:invitation_id>/revoke/")
@show_on_error(show_list_again)
@submit_once
def revoke_invitation(invitation_id: int) -> Done:
    """Revoke an invitation."""
    sending_by_users.revoke(invitation_id, get_caller().user.id)
    return _done("invitation_revoked")


def _done(notice: str) -> Done:
    return Done(url_for("account_invitations.show_invitations"), notice)
