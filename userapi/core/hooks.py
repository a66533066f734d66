"""Where extensions add to the service: rules, subscribers to events, claims and personal data.

Each application has one registry. Lower folders call it by name and know no extension. Without an extension, a call
costs a look-up and a truth test.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import Flask, current_app
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from .environment import ConfigurationError
from .problems import Problem
from .transaction_guard import TransactionEnded, keep_transaction

#: The registry of an application, in its `extensions`.
REGISTRY = "userapi-hooks"

#: The acts that rules can deny.
RULES = ("user.create", "user.edit", "user.delete", "sign_in", "password")

#: What subscribers can name: an action, all of one kind such as `user.*`, or `*`.
PATTERN = re.compile(r"\*|[a-z_]+\.(\*|[a-z_]+)")

#: The maximum length of the name of a subscriber, which is stored with every event that it is to get.
MAX_NAME_LENGTH = 100

#: Errors of the database that have a response of their own, 503.
DATABASE_ERRORS = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


class InvalidHook(ConfigurationError):
    """An extension names a rule or an action that does not exist, or a name twice."""


class HookFailed(RuntimeError):
    """The code of an extension raised something other than a problem. The response is 500."""


class Denied(Problem):
    """A problem that the code of an extension raised, with the status, code and texts of that problem.

    It is no instance of the problem's own class. What the service does after its own errors, such as committing the
    event of a failed sign-in, must not happen: nothing of a denied act is kept.
    """

    @classmethod
    def by(cls, problem: Problem) -> "Denied":
        """The same problem, raised by an extension."""
        denied = cls(problem.detail, headers=dict(problem.headers), more=dict(problem.more))
        denied.status, denied.code, denied.title = problem.status, problem.code, problem.title  # type: ignore[misc]
        denied.errors = problem.errors
        return denied


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the audit log, for subscribers.

    Attributes:
        id: its id in the log, the same each time a subscriber is called.
        action: such as `user.created`; `docs/events.md` lists them.
        occurred_at: when.
        actor_id: the user who acted, if any.
        origin: how the request came in, a value of `context.Origin`.
        target_kind, target_id: what was acted on, such as `user` and `18`.
        key_id: the id of the API key that the request was made with, if any.
        changed: the names of the changed fields.
        changes: `{field: [before, after]}` as the log has them, in the transaction of the act; empty later, so that no
            value outlives the account.
    """

    id: int
    action: str
    occurred_at: datetime
    actor_id: int | None
    origin: str
    target_kind: str | None
    target_id: str | None
    key_id: str | None = None
    changed: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def user_id(self) -> int | None:
        """The user who was acted on, if the target is a user."""
        return int(self.target_id) if self.target_kind == "user" and self.target_id is not None else None


#: Called with the user, what is about to be changed, and the user who acts (None for anonymous visitors, links in
#: emails and the command line).
RuleFunction = Callable[[Any, Mapping[str, Any], Any], None]
Subscriber = Callable[[Event], None]
#: Makes claims of the row of a user.
ClaimsFunction = Callable[[Any], Mapping[str, Any]]
#: The personal data that an extension stores about a user, by their id, as JSON values.
PersonalData = Callable[[int], Any]


#: Called with a user who is about to be deleted, in the same transaction.
DeletionFunction = Callable[[Any], None]

#: Called with the normal form of an email for which no active account requested a password reset. Emails what its owner
#: needs instead; returns the id of the account, or None if it sent nothing.
ResetFunction = Callable[[str], int | None]

#: Called in the transaction of each event with its id, action, time, and the kind and id of its target.
RecordFunction = Callable[[int, str, datetime, str | None, str | None], None]


class Recorder(NamedTuple):
    """What a higher folder of the service does with each event.

    Attributes:
        function: what is called.
        condition: an expression that the statement which writes the event reads too, so that it costs no statement of
            its own; the function is called if it is true. Its parameters are `action` and `of_kind`, such as
            `user.changed` and `user.*`.
        actions: those that it is called for; empty for all.
    """

    function: RecordFunction
    condition: Any = None
    actions: tuple[str, ...] = ()

    def is_called_for(self, action: str) -> bool:
        """Whether the function is called for an action, if its condition is met."""
        return not self.actions or action in self.actions


class Rule(NamedTuple):
    """A function that may deny an act: one of `RULES`."""

    name: str
    function: RuleFunction


class Inside(NamedTuple):
    """A function that is called in the transaction of an event."""

    action: str
    function: Subscriber


class After(NamedTuple):
    """A function that is called by a worker after an event was committed.

    Attributes:
        action: the action or pattern.
        function: what is called.
        name: what identifies it in the database across versions; by default the name of the function.
    """

    action: str
    function: Subscriber
    name: str | None = None


@dataclass(slots=True)
class Hooks:
    """What the extensions of an application have registered, in order.

    Attributes:
        rules: functions by the name of the act.
        inside: subscribers in the transaction.
        after: subscribers after the commit, by their full names.
        claims: functions that make claims, by extension.
        personal_data: functions that export personal data, by extension.
        on_record: what higher folders of the service do with each event; extensions have `inside`.
        on_user_deleted: what they delete together with a user.
        on_reset_without_account: what they send instead of a password reset.
        statements: those that contain conditions of `on_record`, which are compiled once.
    """

    rules: dict[str, list[RuleFunction]] = field(default_factory=dict)
    inside: list[Inside] = field(default_factory=list)
    after: dict[str, After] = field(default_factory=dict)
    claims: dict[str, ClaimsFunction] = field(default_factory=dict)
    personal_data: dict[str, PersonalData] = field(default_factory=dict)
    on_record: list[Recorder] = field(default_factory=list)
    on_user_deleted: list[DeletionFunction] = field(default_factory=list)
    on_reset_without_account: list[ResetFunction] = field(default_factory=list)
    statements: dict[Any, Any] = field(default_factory=dict)


def configure(app: Flask) -> None:
    """Begin with an empty registry."""
    app.extensions[REGISTRY] = Hooks()


def register(
    app: Flask,
    extension: str,
    *,
    rules: Iterable[Rule] = (),
    inside: Iterable[Inside] = (),
    after: Iterable[After] = (),
    claims: ClaimsFunction | None = None,
    personal_data: PersonalData | None = None,
) -> None:
    """Add what an extension registers, before the application serves.

    Raises:
        InvalidHook: naming the extension and what is wrong.
    """
    hooks: Hooks = app.extensions[REGISTRY]
    for rule in rules:
        if rule.name not in RULES:
            raise InvalidHook(f"{extension}: rule {rule.name!r}: Not one of {', '.join(RULES)}.")
        hooks.rules.setdefault(rule.name, []).append(rule.function)
    for subscriber in inside:
        _require_pattern(extension, subscriber.action)
        hooks.inside.append(subscriber)
    for later in after:
        _require_pattern(extension, later.action)
        name = f"{extension}.{later.name or later.function.__name__}"
        if name in hooks.after or len(name) > MAX_NAME_LENGTH:
            raise InvalidHook(f"{extension}: after {later.action!r}: {name!r} exists twice or is too long. Set `name`.")
        hooks.after[name] = later
    if claims is not None:
        hooks.claims[extension] = claims
    if personal_data is not None:
        hooks.personal_data[extension] = personal_data


def get_hooks() -> Hooks:
    """The registry of the current application, found without Flask's proxy, which costs eight times as much."""
    hooks: Hooks = current_app._get_current_object().extensions[REGISTRY]  # type: ignore[attr-defined]
    return hooks


def run_rules(name: str, user: Any, changes: Mapping[str, Any], by: Any) -> None:
    """Call the rules of an act, which may deny it.

    Args:
        name: one of `RULES`.
        user: the user it concerns, with the changes; they are not flushed yet.
        changes: what is about to be changed.
        by: the user who acts; None for anonymous visitors, links in emails and the command line.

    Raises:
        Denied: a rule raised a problem.
        HookFailed: a rule failed.
    """
    rules = get_hooks().rules
    if rules:
        for function in rules.get(name, ()):
            call_inside(function, user, changes, by)


def has_rules(name: str) -> bool:
    """Whether an act has rules."""
    return name in get_hooks().rules


def matches(pattern: str, action: str) -> bool:
    """Whether a subscriber with this pattern gets an action."""
    return pattern in ("*", action) or (pattern.endswith(".*") and action.startswith(pattern[:-1]))


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the code of an extension, and return what it returns.

    Raises:
        Denied: it raised a problem.
        HookFailed: it raised something else; the cause is in the log, never in the response.
    """
    try:
        return function(*arguments)
    except (HookFailed, Denied, *DATABASE_ERRORS):
        raise
    except Problem as problem:
        if wrong := _find_mistake(problem):
            raise HookFailed(f"{name_of(function)}: {type(problem).__name__}: {wrong}") from problem
        raise Denied.by(problem) from problem
    except (HTTPException, ValidationError) as error:
        hint = "To deny an act, raise a userapi.extending.Problem."
        raise HookFailed(f"{name_of(function)}: {type(error).__name__}. {hint}") from error
    except Exception as error:
        raise HookFailed(name_of(function)) from error


def call_inside(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the code of an extension within the transaction of an act, which it may not end.

    Raises:
        Denied: it raised a problem.
        HookFailed: it raised something else, or committed or rolled back.
    """
    try:
        with keep_transaction(name_of(function)):
            return call(function, *arguments)
    except TransactionEnded as error:
        raise HookFailed(str(error)) from error


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function of an extension, for the log."""
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__name__)}"


def _find_mistake(problem: Problem) -> str:
    """What is wrong with a problem that cannot be a response; empty if nothing is."""
    if not 400 <= problem.status <= 599:
        return f"status {problem.status} is not that of an error."
    if isinstance(problem.detail, Mapping | list | tuple):
        return "detail must be a text. Messages by field are `errors=`."
    return "" if problem.errors is None or isinstance(problem.errors, Mapping) else "errors must be a mapping."


def _require_pattern(extension: str, action: str) -> None:
    if not PATTERN.fullmatch(action):
        raise InvalidHook(f"{extension}: action {action!r}: Not an action such as user.created, user.* or *.")
