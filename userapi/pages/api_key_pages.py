"""The pages of a user's API keys: the list, creating one, replacing it by a new one, and revoking it."""

import uuid
from datetime import timedelta
from functools import partial

from flask import Response, make_response, url_for
from flask_babel import gettext as _

from userapi.auth import api_keys, proof, scope_texts
from userapi.auth.caller import get_caller
from userapi.core import clock
from userapi.html.flash import flash
from userapi.html.redirects import redirect_to

from . import api_key_schemas, shown_keys
from .layout import blueprint, render_page
from .page_auth import fresh
from .single_submission import FIRST_FACTOR_WINDOW, Done, submit_once
from .submitted_forms import load_form, show_on_error

#: How many days a key can be valid for, if the maximum lifetime allows it.
LIFETIMES = (7, 30, 90, 180, 365)

#: Until this long before its end, the list does not call attention to it.
ENDS_SOON = timedelta(days=14)

#: A second click on the button of a form that creates a key shows the key again, but only for a moment: the key is
#: stronger than the cookies of the form.
submit_key_once = partial(submit_once, window=FIRST_FACTOR_WINDOW)


@blueprint.get("/account/keys/")
def show_keys() -> str:
    """List the caller's API keys."""
    api_keys.require_on()
    now = clock.now()
    return render_page(
        "account/keys.html",
        keys=[api_keys.describe_key(row) for row in api_keys.list_keys(get_caller().user.id)],
        scope_title=scope_texts.get_title,
        ends_soon=lambda key: key["expires_at"] - now < ENDS_SOON,
    )


@blueprint.get("/account/keys/new/")
@fresh
def show_key_form() -> str:
    """Show the form that creates an API key."""
    api_keys.require_on()
    me, longest = get_caller().user, api_keys.max_lifetime().days
    return render_page(
        "account/new_key.html",
        scopes=scope_texts.list_choices(is_staff=me.is_staff or me.is_superuser),
        lifetimes=[*(days for days in LIFETIMES if days < longest), longest],
        default_lifetime=min(api_keys.DEFAULT_LIFETIME.days, longest),
    )


@blueprint.post("/account/keys/new/")
@fresh
@show_on_error(show_key_form)
@submit_key_once
def create_key() -> Done:
    """Create an API key, which is shown next."""
    caller, new = get_caller(), load_form(api_key_schemas.new_key)
    new["expires_at"] = clock.now() + timedelta(days=new.pop("days"))
    return _show_next(api_keys.create_key(proof.lock_account(caller), amr=caller.user.amr, **new))


@blueprint.post("/account/keys/<uuid:key_id>/rotate/")
@fresh
@submit_key_once
def rotate_key(key_id: uuid.UUID) -> Done:
    """Replace an API key by a new one, which is shown next."""
    caller, overlap = get_caller(), timedelta(seconds=load_form(api_key_schemas.rotation)["overlap"])
    return _show_next(api_keys.rotate_key(key_id, proof.lock_account(caller), amr=caller.user.amr, overlap=overlap))


def _show_next(created: api_keys.Created) -> Done:
    key_id = str(created.row.id)
    return Done(url_for("pages.show_new_key", key_id=key_id), api_key={"key_id": key_id, "key": created.key})


@blueprint.get("/account/keys/new/<uuid:key_id>/")
def show_new_key(key_id: uuid.UUID) -> Response:
    """Show a new API key, once."""
    key = shown_keys.find_key(key_id)
    if key is None:
        flash(_("An API key is shown only once. If you have not saved it, replace it by a new one."), "warning")
        return redirect_to("pages.show_keys")
    return shown_keys.delete_cookie(make_response(render_page("account/created_key.html", key=key)), key_id)


@blueprint.post("/account/keys/<uuid:key_id>/revoke/")
@submit_once
def revoke_key(key_id: uuid.UUID) -> Done:
    """Revoke an API key."""
    api_keys.revoke_key(key_id, get_caller().user.id)
    return Done(url_for("pages.show_keys"), "api_key_revoked")


@blueprint.post("/account/keys/revoke-all/")
@submit_once
def revoke_keys() -> Done:
    """Revoke all API keys of the caller."""
    api_keys.revoke_all(get_caller().user.id)
    return Done(url_for("pages.show_keys"), "api_keys_revoked")
