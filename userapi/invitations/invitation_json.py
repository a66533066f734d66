"""Invitations as JSON documents."""

from collections.abc import Iterable
from typing import Any

from userapi.core import clock
from userapi.http.responses import Document
from userapi.users import group_queries
from userapi.users.site_urls import invitations_url

from .models import state_of


def describe(invitations: Iterable[Any]) -> list[Document]:
    """The documents that staff get of invitations."""
    found, base = list(invitations), invitations_url()
    needs_groups = any(invitation.facts.get("groups") for invitation in found)
    names = group_queries.names_by_id() if needs_groups else {}
    return [
        {
            "url": f"{base}{invitation.id}/",
            **describe_own(invitation),
            "inviter_id": invitation.inviter_id,
            "groups": [names[group_id] for group_id in invitation.facts.get("groups", []) if group_id in names],
            "first_name": invitation.facts.get("first_name", ""),
            "last_name": invitation.facts.get("last_name", ""),
            "profile": invitation.facts.get("profile"),
            "message": invitation.message,
            "user_id": invitation.user_id,
        }
        for invitation in found
    ]


def describe_own(invitation: Any) -> Document:
    """The document that a user gets who has sent an invitation and is not staff."""
    return {
        "id": invitation.id,
        "email": invitation.email,
        "state": state_of(invitation, clock.now()).value,
        "language": invitation.language,
        "created_at": invitation.created_at,
        "sent_at": invitation.sent_at,
        "expires_at": invitation.expires_at,
        "accepted_at": invitation.accepted_at,
        "revoked_at": invitation.revoked_at,
    }
