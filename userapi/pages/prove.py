"""The page on which a signed-in user proves the identity again, before a sensitive action (decision 0049).

A form that was submitted without a recent proof is kept on this page, encrypted, and offered for submission afterwards.
It is never submitted by itself. Passwords and files are not kept: then the page with the form follows, filled in.
"""

from flask import Response, make_response, request, url_for
from flask_babel import gettext as _

from userapi.auth import cookies, proof, tokens
from userapi.auth.caller import get_caller
from userapi.auth.problems import InvalidCredentials
from userapi.core.db import commit_on, db
from userapi.core.problems import ProofNeeded
from userapi.html import saved_forms
from userapi.html.flash import flash
from userapi.html.redirects import next_path, redirect_to, redirect_to_next
from userapi.http import errors
from userapi.http.page_paths import find_page_above
from userapi.mfa.passkey_problems import InvalidPasskey, NoPasskey

from . import schemas
from .layout import blueprint, render_page
from .page_auth import SAFE_METHODS, open_to_set_up
from .submitted_forms import load_form, show_on_error


@blueprint.app_errorhandler(ProofNeeded)
def handle_missing_proof(problem: ProofNeeded) -> Response:
    """Show the page that asks for a proof; programs get the problem."""
    db.session.rollback()
    if not errors.wants_error_page():
        return errors.problem_response(problem)
    if request.method in SAFE_METHODS:
        return redirect_to("pages.show_proof", next=request.full_path.rstrip("?"))
    form = saved_forms.seal_form(get_caller().user.id)
    page = find_page_above(request.path)
    response = make_response(_render(form=form, following=page, form_follows=form is None), problem.status)
    response.headers.update(problem.headers)
    if form is None:
        saved_forms.save_form(response, page)
    return response


@blueprint.get("/prove/")
@open_to_set_up
def show_proof() -> str | Response:
    """Show the form that proves the identity, unless it was proved recently."""
    if request.method in SAFE_METHODS and proof.is_fresh(get_caller()):
        return redirect_to_next()
    sent = request.form
    return _render(sent.get("form") or None, next_path(), form_follows="form_follows" in sent)


@blueprint.post("/prove/")
@open_to_set_up
@show_on_error(show_proof)
def prove() -> Response:
    """Prove the identity, and continue with the form that was submitted or the page that was requested."""
    caller = get_caller()
    typed = load_form(schemas.proof)
    with commit_on(InvalidCredentials, InvalidPasskey):
        if "credential" in typed:
            session = proof.prove_by_passkey(caller, typed["credential"])
        else:
            session = proof.prove(caller, typed.get("password"), typed.get("code"))
    pair = tokens.issue_pair(session, web=True)
    db.session.commit()
    form = saved_forms.unseal_form(typed.get("form", ""), caller.user.id)
    if form is not None:
        page = render_page("proved.html", submitted=form, following=next_path() or url_for("pages.show_account"))
        return cookies.set_token_cookies(make_response(page), pair)
    if typed.get("form_follows"):
        flash(_("Thank you. Enter passwords and choose files again, then submit the form."))
    return cookies.set_token_cookies(redirect_to_next(), pair)


def _render(form: str | None, following: str, *, form_follows: bool) -> str:
    caller = get_caller()
    try:
        passkey = proof.build_passkey_options(caller)
    except NoPasskey:
        passkey = None
    return render_page(
        "prove.html",
        kept_form=form,
        following=following,
        form_follows=form_follows,
        step=proof.find_second_step(caller),
        passkey=passkey,
        cancel="/admin/" if following.startswith("/admin/") else url_for("pages.show_account"),
    )
