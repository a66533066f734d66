"""What happens to organisations when an account is deleted."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from userapi.extending import Event, check_email, db, find_user

from . import queries
from .models import Invitation, Membership, Organisation
from .problems import OwnerNeeded


def keep_an_owner(user: Any, _changes: Mapping[str, Any], _by: Any) -> None:
    """Deny the deletion of the last owner of an organisation that has other members.

    Raises:
        OwnerNeeded: naming the organisations.
    """
    for organisation_id in queries.list_owned_alone(user.id):
        queries.lock_organisation(organisation_id)  # another owner may leave at the same time
    if alone := queries.list_owned_alone(user.id):
        raise OwnerNeeded(more={"organisations": alone})


def remove_user(event: Event) -> None:
    """Remove the memberships of a user, invitations to the user, and organisations that have no member left."""
    user = find_user(event.user_id or 0)
    if user is None:
        return
    _typed, key = check_email(user.email)
    queries.delete_invitations(Invitation.email_key == key)
    db.session.execute(sa.delete(Membership).where(Membership.user_id == user.id))
    has_members = sa.exists().where(Membership.organisation_id == Organisation.id)
    db.session.execute(sa.delete(Organisation).where(~has_members))
