"""What users may do whose profile lacks mandatory fields: read and fill in their own, and leave (decision 0076)."""

from userapi.core.email_domains import is_service_address
from userapi.users import missing_fields

from .api_key_caller import KeyCaller
from .caller import Caller


def require_complete(caller: Caller | KeyCaller) -> None:
    """Check that the caller has given every mandatory field; in an application without any this is a truth test.

    A session for set-up has to set up the second step first: until then, it cannot fill in fields. A service account
    has no profile.

    Raises:
        ProfileIncomplete: naming the fields that are missing.
    """
    if not caller.is_for_set_up and not is_service_address(caller.user.email):
        missing_fields.require_mandatory(caller.user)
