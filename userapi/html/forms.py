"""A form: what was typed into it, and what is wrong with it."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from marshmallow import ValidationError

from userapi.core.hooks import Denied
from userapi.core.problems import Problem, ValidationFailed

#: Inputs that every form has, besides those of its schema.
HIDDEN_FIELDS = ("csrf_token", "form_id", "next", "checkboxes")


class Form:
    """Values and errors of a form, for a template.

    Attributes:
        values: by the names of inputs, such as `profile.city`. Templates never show passwords again.
        errors: messages by the same names.
        error: what is wrong with the form as a whole; None if there is no error.
    """

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = {} if values is None else values
        self.errors: dict[str, list[str]] = {}
        self.error: str | None = None
        self._status = 200

    @classmethod
    def rejected(cls, problem: Problem | ValidationError, values: dict[str, Any] | None = None) -> "Form":
        """A form with the errors of a rule or schema."""
        form = cls(values)
        form.reject(problem)
        return form

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows this form."""
        return self._status

    def reject(self, problem: Problem | ValidationError) -> None:
        """Add the errors of a rule or schema, in the order of the inputs."""
        if isinstance(problem, ValidationError):
            problem = ValidationFailed(errors=problem.normalized_messages())
        errors = flatten_errors(problem.errors or {})
        general = errors.pop("", [])
        names = [*(name for name in self.values if name in errors), *errors]
        required = [_("This field is required.")]
        self.errors = {name: required if self.values.get(name) == "" else errors[name] for name in names}
        self.error = " ".join(general) or str(problem.detail)
        if isinstance(problem, ValidationFailed | Denied) and self.errors:
            self.error = _("Please correct the errors below.")
        self._status = problem.status


def flatten_errors(errors: Mapping[str, Any], prefix: str = "") -> dict[str, list[str]]:
    """Messages by the names of inputs: `{"profile": {"zip": […]}}` becomes `{"profile.zip": […]}`.

    Messages that marshmallow stores under `_schema` get the name of their object; at the top that is `""`.
    """
    flat: dict[str, list[str]] = {}
    for name, messages in errors.items():
        path = prefix.rstrip(".") if name == "_schema" else f"{prefix}{name}"
        if isinstance(messages, Mapping):
            flat |= flatten_errors(messages, f"{path}.")
        else:
            flat.setdefault(path, []).extend(map(str, messages if isinstance(messages, list | tuple) else [messages]))
    return flat


def explain(problem: Problem) -> str:
    """A problem and its errors as one text, where there is no form to show them in."""
    errors = flatten_errors(problem.errors or {}) if isinstance(problem, ValidationFailed | Denied) else {}
    return " ".join(text for texts in errors.values() for text in texts) or str(problem)
