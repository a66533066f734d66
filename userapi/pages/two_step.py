"""The pages of two-step sign-in: setting up an app, recovery codes, turning it on and off, remembered devices."""

import uuid
from functools import partial
from typing import Any

from flask import Response, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup

from userapi.auth import factor_changes
from userapi.auth.assurance import Proof
from userapi.auth.caller import get_caller
from userapi.core.db import db
from userapi.core.problems import NotFound
from userapi.html.redirects import redirect_to
from userapi.mfa import apps, qr_code, remembered_devices
from userapi.security import encryption

from . import schemas, shown_codes
from .factor_responses import respond_to_new_factor
from .layout import blueprint, render_page
from .page_auth import fresh, open_to_set_up
from .single_submission import FIRST_FACTOR_WINDOW, Done, submit_once
from .submitted_forms import load_form, show_on_error

#: The purpose and lifetime in seconds of the hidden field with the app that is being set up.
SET_UP, SET_UP_MAX_AGE = "app-set-up", int(apps.SET_UP_LIFETIME.total_seconds())


@blueprint.get("/account/security/app/")
@open_to_set_up
@fresh
def show_new_app() -> str:
    """Show what two-step sign-in means, and the form that adds an authenticator app."""
    return render_page("account/new_app.html")


@blueprint.post("/account/security/app/")
@open_to_set_up
@fresh
@show_on_error(show_new_app)
def add_app() -> str:
    """Add an authenticator app, and show its secret as QR code and as text, with the form that confirms it."""
    caller = get_caller()
    added = factor_changes.add_app(caller, load_form(schemas.new_app)["name"] or _("Authenticator app"))
    db.session.commit()
    return _render_set_up({"id": str(added.id), "secret": added.secret, "uri": added.uri})


def show_set_up() -> str:
    """Show the app that is being set up again, after a wrong code."""
    return _render_set_up(_unseal_set_up())


@blueprint.post("/account/security/app/confirm/")
@open_to_set_up
@show_on_error(show_set_up)
def confirm_app() -> Response:
    """Confirm the app with its code. New recovery codes are shown next."""
    app_id, code = uuid.UUID(_unseal_set_up()["id"]), load_form(schemas.set_up_code)["code"]
    with factor_changes.count_set_up_code(get_caller()):  # before anything is written, as with `submit_once`
        response = _confirm_app(app_id=app_id, code=code)
    db.session.commit()
    return response


@partial(submit_once, window=FIRST_FACTOR_WINDOW)
def _confirm_app(app_id: uuid.UUID, code: str) -> Done:
    caller = get_caller()
    added = factor_changes.confirm_app_by_counted_code(caller, app_id, code)
    return respond_to_new_factor(caller, added, Proof.CODE, "app_added")


@blueprint.post("/account/security/app/<uuid:app_id>/rename/")
@submit_once
def rename_app(app_id: uuid.UUID) -> Done:
    """Rename an authenticator app."""
    apps.rename_app(app_id, get_caller().user.id, load_form(schemas.factor_name)["name"])
    return Done(url_for("pages.show_security"), "saved")


@blueprint.post("/account/security/app/<uuid:app_id>/remove/")
@fresh
@submit_once
def remove_app(app_id: uuid.UUID) -> Done:
    """Remove an authenticator app; other sessions end."""
    factor_changes.remove_app(get_caller(), app_id, keep_sessions=False)
    return Done(url_for("pages.show_security"), "app_removed")


@blueprint.post("/account/security/second-step/")
@fresh
@submit_once
def set_second_step() -> Done:
    """Turn two-step sign-in on or off."""
    is_on = load_form(schemas.second_step_switch)["second_step"]
    factor_changes.set_second_step(get_caller(), is_on=is_on)
    return Done(url_for("pages.show_security"), "second_step_on" if is_on else "second_step_off")


@blueprint.post("/account/security/recovery-codes/")
@fresh
@submit_once
def replace_recovery_codes() -> Done:
    """Create new recovery codes, which are shown next."""
    codes = factor_changes.replace_recovery_codes(get_caller())
    return Done(url_for("pages.show_recovery_codes"), recovery_codes=codes)


@blueprint.get("/account/security/recovery-codes/")
@open_to_set_up
def show_recovery_codes() -> str | Response:
    """Show new recovery codes, until the user says that they are kept."""
    codes = shown_codes.find_codes()
    return render_page("account/recovery_codes.html", codes=codes) if codes else redirect_to("pages.show_security")


@blueprint.get("/account/security/recovery-codes/download/")
@open_to_set_up
def download_recovery_codes() -> Response:
    """Download new recovery codes as a text file."""
    codes = shown_codes.find_codes()
    if not codes:
        return redirect_to("pages.show_security")
    host = request.host.partition(":")[0]
    text = "\n".join([_("Recovery codes for %(site)s", site=host), get_caller().user.email, "", *codes, ""])
    disposition = {"Content-Disposition": 'attachment; filename="recovery-codes.txt"'}
    return Response(text, content_type="text/plain; charset=utf-8", headers=disposition)


@blueprint.post("/account/security/recovery-codes/kept/")
@open_to_set_up
@submit_once
def keep_recovery_codes() -> Done:
    """Stop showing the recovery codes."""
    cookie = (shown_codes.COOKIE, shown_codes.cookie_path())
    return Done(url_for("pages.show_security"), "recovery_codes_kept", delete_cookie=cookie)


@blueprint.post("/account/devices/remembered/<uuid:device_id>/forget/")
@submit_once
def forget_device(device_id: uuid.UUID) -> Done:
    """Forget a remembered device."""
    remembered_devices.forget(device_id, get_caller().user.id)
    return Done(url_for("pages.show_devices"), "device_forgotten")


@blueprint.post("/account/devices/remembered/forget-all/")
@submit_once
def forget_devices() -> Done:
    """Forget all remembered devices."""
    remembered_devices.forget_all(get_caller().user.id)
    return Done(url_for("pages.show_devices"), "devices_forgotten")


def _render_set_up(set_up: dict[str, Any]) -> str:
    secret = set_up["secret"]
    return render_page(
        "account/set_up_app.html",
        set_up=encryption.encrypt_json(SET_UP, {**set_up, "session": str(get_caller().session_id)}),
        uri=set_up["uri"],
        qr=Markup(qr_code.draw_svg(set_up["uri"])),  # noqa: S704 - numbers and colours only
        groups=[secret[start : start + 4] for start in range(0, len(secret), 4)],
    )


def _unseal_set_up() -> dict[str, Any]:
    """The app in the submitted form; it is of no use in another session."""
    found = encryption.decrypt_json(SET_UP, request.form.get("set_up", ""), SET_UP_MAX_AGE)
    if not isinstance(found, dict) or found.get("session") != str(get_caller().session_id):
        raise NotFound(_("This app was not confirmed in time. Add it again."))
    return found
