"""Whether those who could do the most damage sign in with a second step."""

from collections.abc import Iterator

import sqlalchemy as sa
from flask import current_app

from userapi.core import migrations
from userapi.mfa import requirement_queries, requirements

from .findings import Finding, ok, warning


def check() -> Iterator[Finding]:
    """Check who signs in with a password alone."""
    try:
        if migrations.is_current():
            yield from _check()
    except sa.exc.SQLAlchemyError:
        return  # reported by the health checks


def _check() -> Iterator[Finding]:
    required_for = current_app.config["SECOND_STEP_REQUIRED_FOR"]
    staff = requirement_queries.count_staff()
    if not staff.without:
        yield ok("sign-in", f"{staff.all} of {staff.all} staff members sign in with a second step")
    elif required_for in ("none", "superusers"):
        yield warning(
            "sign-in",
            f"{staff.without} of {staff.all} staff members sign in with a password alone. When they have set up a "
            "second step, set SECOND_STEP_REQUIRED_FOR to staff.",
        )
    demanded = requirement_queries.count_demanded(required_for)
    if demanded.without:
        yield warning(
            "sign-in",
            f"{demanded.without} of {demanded.all} users have not set up the second step that is required of them"
            f"{_since()}. Ask them to sign in and set it up.",
        )
    locked_out = requirement_queries.count_locked_out()
    if locked_out:
        users = "1 user cannot" if locked_out == 1 else f"{locked_out} users cannot"
        yield warning(
            "sign-in",
            f"{users} sign in: the second step is on, and no factor is left for it. "
            "To list them, run `flask users list --locked-second-step`. To let one sign in again, run "
            "`flask users reset-factors`.",
        )


def _since() -> str:
    """From when it is required, if that is in the future."""
    return "" if requirements.is_in_force() else f" from {current_app.config['SECOND_STEP_REQUIRED_FROM']}"
