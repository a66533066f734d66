"""Imports: superusers upload a file of users, which a background job checks or imports.

Only superusers may do this, because a file can contain password hashes and permissions and so make anyone a superuser.
"""

from enum import StrEnum
from typing import Any, TypeVar

from flask import Response, current_app, request
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
from userapi.transfer import import_files, job_queries, jobs
from userapi.transfer.jobs import FileTooLarge
from userapi.transfer.options import ImportOptions, IssueKind, OnBadProfile, OnConflict
from userapi.users.declaration import get_declaration

from . import audit_log
from .views import SUPERUSER, StaffView, staff_page

Choice = TypeVar("Choice", bound=StrEnum)

JOB = "/<row_id:job_id>/"

#: Imports in the list. They are deleted after a month.
MAX_LISTED = 50

#: Seconds after which the page of an active import reloads.
RELOAD_INTERVAL = 3


class ImportView(StaffView):
    """Imports."""

    def is_accessible(self) -> bool:
        """Whether the menu shows this."""
        return bool(get_caller().user.is_superuser)

    def _handle_view(self, name: str, **arguments: Any) -> Any:
        """Accept a larger body for an upload than for all other requests."""
        if name == "add":
            request.max_content_length = bodies.get_body_limit(current_app, request.path)
        try:
            return super()._handle_view(name, **arguments)
        except RequestEntityTooLarge:
            return errors.problem_response(FileTooLarge())

    @staff_page("/", needs=SUPERUSER)
    def show_list(self) -> str:
        """List the newest imports and their status."""
        found = job_queries.newest_jobs(MAX_LISTED)
        return self.render(
            "admin/imports/list.html",
            jobs=found,
            names=audit_log.emails_of_users(job.actor_id for job in found),
            again=RELOAD_INTERVAL if any(job.state in ACTIVE for job in found) else 0,
        )

    @staff_page("/new/", needs=SUPERUSER, fresh=True)
    def show_new(self) -> Any:
        """Show the upload form."""
        defaults = ImportOptions()
        return self._show_new(
            Form({"dry_run": True, "on_conflict": defaults.on_conflict, "on_bad_profile": defaults.on_bad_profile})
        )

    @staff_page("/new/", needs=SUPERUSER, methods=("POST",), fresh=True)
    def add(self) -> Any:
        """Store a file, for a background job to check or import."""
        sent = {name: request.form.get(name, "") for name in ("dry_run", "on_conflict", "on_bad_profile")}
        form = Form(sent)
        try:
            options = ImportOptions(
                _read_choice(OnConflict, sent, "on_conflict"),
                bool(sent["dry_run"]),
                _read_choice(OnBadProfile, sent, "on_bad_profile"),
            )
            file = request.files.get("file")
            if file is None or not file.filename:
                raise ValidationFailed(errors={"file": [_("Choose a file.")]})
            jobs.delete_expired()
            job = jobs.start_import(file.filename, file.read(), options, by=get_caller().user)
            db.session.commit()
        except Problem as error:
            db.session.rollback()
            form.reject(error)
            return self._show_new(form)
        flash(_("%(name)s was uploaded. Processing starts in a moment.", name=job.file_name))
        return self.redirect_to("show", job_id=job.id)

    @staff_page("/sample.csv", needs=SUPERUSER)
    def sample(self) -> Response:
        """Download a sample of a CSV file."""
        return _csv_file("users-sample.csv", import_files.write_sample())

    @staff_page(f"{JOB}report.csv", needs=SUPERUSER)
    def download_report(self, job_id: int) -> Response:
        """Download the stored issues of an import."""
        return _csv_file(f"import-{job_id}-report.csv", import_files.write_report(_find_job(job_id).report))

    @staff_page(JOB, needs=SUPERUSER)
    def show(self, job_id: int) -> Any:
        """Show the status, the results and the issues of an import."""
        return self._show(job_id, Form())

    @staff_page(f"{JOB}import/", needs=SUPERUSER, methods=("POST",), fresh=True)
    def start_import(self, job_id: int) -> Any:
        """Import the file of a dry run."""
        try:
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
        """Cancel an import, or delete the file of a dry run."""
        was_active = jobs.cancel_import(job_id)
        db.session.commit()
        flash(_("The import was cancelled and its file deleted.") if was_active else _("The file was deleted."))
        return self.redirect_to("show", job_id=job_id)

    def _show_new(self, form: Form) -> Any:
        facts = {
            "conflict_options": OnConflict,
            "bad_profile_options": OnBadProfile,
            "most": i18n.format_number(jobs.MAX_RECORDS),
            "needs_birthday": get_declaration().is_default,
        }
        return self.render("admin/imports/new.html", form=form, **facts), form.status

    def _show(self, job_id: int, form: Form) -> Any:
        job = _find_job(job_id)
        is_active = job.state in ACTIVE
        return self.render(
            "admin/imports/show.html",
            job=job,
            form=form,
            import_id=jobs.find_import_after_dry_run(job_id) if job.dry_run else None,
            names=audit_log.emails_of_users([job.actor_id]),
            kinds=[str(kind) for kind in IssueKind],
            shown_kind=next((kind for kind in IssueKind if kind == request.args.get("result")), ""),
            is_active=is_active,
            may_start=job.dry_run and job.state == State.DONE and job.has_file,
            again=RELOAD_INTERVAL if is_active else 0,
        ), form.status


def _find_job(job_id: int) -> Any:
    job = job_queries.find_job(job_id)
    if job is None:
        raise NotFound(_("There is no import with this ID."))
    return job


def _csv_file(name: str, text: str) -> Response:
    return Response(text, mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _read_choice(choices: type[Choice], sent: dict[str, str], name: str) -> Choice:
    if sent[name] not in list(choices):
        raise ValidationFailed(errors={name: [_("Choose one of the options.")]})
    return choices(sent[name])
