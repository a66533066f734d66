"""Deleting uploaded files that name an account which is deleted."""

from flask import Flask

from userapi.core import hooks
from userapi.core.hooks import Hooks
from userapi.security.data_keys import DataKeyMissing
from userapi.users.models import User

from . import job_queries, uploads


def configure(app: Flask) -> None:
    """Delete such files in the transaction that deletes the account."""
    registered: Hooks = app.extensions[hooks.REGISTRY]
    registered.on_user_deleted.append(forget_user)


def forget_user(user: User) -> None:
    """Delete the files of dry runs with the email address of a user; those of imports are deleted with their end."""
    for job_id in job_queries.list_idle_files():
        if _contains(job_queries.read_file(job_id), user.email):
            job_queries.delete_file(job_id)


def _contains(stored: bytes | None, email: str) -> bool:
    if stored is None:
        return False
    try:
        content = uploads.open_if_sealed(stored).lower()
    except DataKeyMissing:
        return True
    return any(email.lower().encode(encoding) in content for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
