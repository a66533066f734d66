"""The providers that users sign in with: what to register there, and whether sign-ins work."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from flask_babel import gettext as _

from userapi.audit import queries as audit_queries
from userapi.core import clock
from userapi.core.provider_settings import Provider
from userapi.federation import providers
from userapi.federation import queries as identity_queries

from . import staff_auth
from .views import StaffView, staff_page

#: The number of the newest failures that are read, for all providers.
MAX_FAILURES = 200

#: Failures within this time are counted.
PERIOD = timedelta(days=1)


class ProviderState(NamedTuple):
    """A provider on the page.

    Attributes:
        redirect_url: to register at the provider.
        failures: the number of failed sign-ins within `PERIOD`, of the newest `MAX_FAILURES` of all providers.
        last_failure: the event of the newest failure, or None.
        last_used_at: when an identity last signed in, to within a day; or None.
    """

    provider: Provider
    redirect_url: str
    failures: int
    last_failure: Any
    last_used_at: Any


class ProviderView(StaffView):
    """Providers."""

    kind = "event"

    def is_accessible(self) -> bool:
        """Whether the menu shows this: there are providers, and the caller may read the audit log."""
        return bool(providers.configured()) and staff_auth.may("view", self.kind)

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List the providers of the settings."""
        return self.render(
            "admin/providers.html", found=_read_states(), max_failures=MAX_FAILURES, reason_of=_reason_of
        )


def _read_states() -> list[ProviderState]:
    configured = providers.configured()
    if not configured:
        return []
    last_used, since = identity_queries.find_last_uses(), clock.now() - PERIOD
    failures: dict[str, list[Any]] = {}
    for event in audit_queries.newest({"action": "provider_sign_in.failed"}, MAX_FAILURES):
        failures.setdefault(str(_fact(event.changes, "provider")), []).append(event)
    return [
        ProviderState(
            provider,
            providers.callback_url(provider),
            sum(event.occurred_at >= since for event in failures.get(provider.id, ())),
            next(iter(failures.get(provider.id, ())), None),
            last_used.get(provider.id),
        )
        for provider in configured
    ]


def _fact(changes: Mapping[str, Any] | None, name: str) -> Any:
    """What an event says about itself."""
    _before, fact = (changes or {}).get(name) or (None, None)
    return fact


def _reason_of(event: Any) -> str:
    """Why a sign-in failed: a word of the log."""
    return str(_fact(event.changes, "reason") or _("unknown"))
