"""What users read for the states of invitations."""

from flask_babel import lazy_gettext

from .models import State

#: By the values of the states.
TEXTS = {
    State.PENDING.value: lazy_gettext("Pending"),
    State.EXPIRED.value: lazy_gettext("Expired"),
    State.ACCEPTED.value: lazy_gettext("Accepted"),
    State.REVOKED.value: lazy_gettext("Revoked"),
}
