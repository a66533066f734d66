"""Imports: a file of users is taken in here, looked through, then brought in by a worker. For superusers alone.

A file may hold password hashes and rights, so who may send one could make anybody a superuser.
"""

from enum import StrEnum
from typing import Any, TypeVar

from flask import current_app, request
from flask_babel import gettext as _
from werkzeug.exceptions import RequestEntityTooLarge

from userapi.auth.caller import get_caller
from userapi.core import i18n
from userapi.core.db import db
from userapi.core.leased_jobs import ACTIVE, State
from userapi.core.problems import NotFound, Problem, ValidationFailed
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.http import bodies, errors
from userapi.transfer import job_queries, jobs
from userapi.transfer.jobs import FileTooLarge
from userapi.transfer.options import ImportOptions, IssueKind, OnBadProfile, OnConflict

from . import audit_log, reauthentication
from .views import SUPERUSER, StaffView, staff_page

Choice = TypeVar("Choice", bound=StrEnum)

JOB = "/<row_id:job_id>/"

#: How many imports the list shows; older than a month are none.
NEWEST = 50

#: How often the page of an import that is not over is loaded again, in seconds.
AGAIN = 3


class ImportView(StaffView):
    """The imports."""

    def is_accessible(self) -> bool:
        """Whether the menu names it."""
        return bool(get_caller().user.is_superuser)

    def _handle_view(self, name: str, **arguments: Any) -> Any:
        """Let a file through that is larger than what anything else sends, and no larger one."""
        if name == "add":
            request.max_content_length = bodies.get_body_limit(current_app, request.path)
        try:
            return super()._handle_view(name, **arguments)
        except RequestEntityTooLarge:
            return errors.problem_response(FileTooLarge())

    @staff_page("/", needs=SUPERUSER)
    def show_list(self) -> str:
        """The newest imports, and how each stands."""
        found = job_queries.newest_jobs(NEWEST)
        return self.render(
            "admin/imports/list.html",
            jobs=found,
            names=audit_log.names_of(job.actor_id for job in found),
            again=AGAIN if any(job.state in ACTIVE for job in found) else 0,
        )

    @staff_page("/new/", needs=SUPERUSER)
    def show_new(self) -> Any:
        """The form: which file, and how."""
        usual = ImportOptions()
        return self._show_new(
            Form({"dry_run": True, "on_conflict": usual.on_conflict, "on_bad_profile": usual.on_bad_profile})
        )

    @staff_page("/new/", needs=SUPERUSER, methods=("POST",))
    def add(self) -> Any:
        """Take a file in, for a worker to look through or to import."""
        sent = {name: request.form.get(name, "") for name in ("dry_run", "on_conflict", "on_bad_profile")}
        form = Form(sent)
        try:
            options = ImportOptions(
                _choice(OnConflict, sent, "on_conflict"),
                bool(sent["dry_run"]),
                _choice(OnBadProfile, sent, "on_bad_profile"),
            )
            file = request.files.get("file")
            if file is None or not file.filename:
                raise ValidationFailed(errors={"file": [_("Choose a file.")]})
            reauthentication.require()
            jobs.delete_expired()
            job = jobs.start_import(file.filename, file.read(), options, by=get_caller().user)
            db.session.commit()
        except Problem as error:
            db.session.rollback()
            form.reject(error)
            return self._show_new(form)
        flash(_("%(name)s was uploaded. Processing starts in a moment.", name=job.file_name))
        return self.redirect_to("show", job_id=job.id)

    @staff_page(JOB, needs=SUPERUSER)
    def show(self, job_id: int) -> Any:
        """How an import stands, what came of it, and what there was to say."""
        return self._show(job_id, Form())

    @staff_page(f"{JOB}import/", needs=SUPERUSER, methods=("POST",))
    def go_ahead(self, job_id: int) -> Any:
        """Import what a dry run has looked through."""
        try:
            reauthentication.require()
            job = jobs.start_import_after_dry_run(job_id, by=get_caller().user)
            db.session.commit()
        except ValidationFailed as error:
            db.session.rollback()
            return self._show(job_id, Form.rejected(error))
        except NotFound:
            db.session.rollback()
            successor = jobs.find_import_after_dry_run(job_id)
            if successor is None:
                raise
            flash(_("The import of this file was already started."), "warning")
            return self.redirect_to("show", job_id=successor)
        flash(_("The import of %(name)s starts in a moment.", name=job.file_name))
        return self.redirect_to("show", job_id=job.id)

    @staff_page(f"{JOB}cancel/", needs=SUPERUSER, methods=("POST",))
    def cancel(self, job_id: int) -> Any:
        """Give an import up, or the file that a dry run has looked through."""
        was_active = jobs.cancel_import(job_id)
        db.session.commit()
        flash(_("The import was cancelled and its file deleted.") if was_active else _("The file was deleted."))
        return self.redirect_to("show", job_id=job_id)

    def _show_new(self, form: Form) -> Any:
        facts = {
            "ways": OnConflict,
            "bad_profile_ways": OnBadProfile,
            "is_fresh": reauthentication.is_fresh(),
            "most": i18n.format_number(jobs.MAX_RECORDS),
        }
        return self.render("admin/imports/new.html", form=form, **facts), form.status

    def _show(self, job_id: int, form: Form) -> Any:
        job = job_queries.find_job(job_id)
        if job is None:
            raise NotFound(_("There is no import with this ID."))
        is_active = job.state in ACTIVE
        return self.render(
            "admin/imports/show.html",
            job=job,
            form=form,
            import_id=jobs.find_import_after_dry_run(job_id) if job.dry_run else None,
            names=audit_log.names_of([job.actor_id]),
            kinds=[str(kind) for kind in IssueKind],
            is_active=is_active,
            may_go_ahead=job.dry_run and job.state == State.DONE and job.has_file,
            is_fresh=reauthentication.is_fresh(),
            again=AGAIN if is_active else 0,
        ), form.status


def _choice(choices: type[Choice], sent: dict[str, str], name: str) -> Choice:
    if sent[name] not in list(choices):
        raise ValidationFailed(errors={name: [_("Choose one of the options.")]})
    return choices(sent[name])
