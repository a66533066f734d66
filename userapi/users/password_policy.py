"""Which passwords are rejected, with every reason (NIST SP 800-63B, section 3.1.1.2)."""

import math
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import ClassVar

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from marshmallow import ValidationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS
from zxcvbn.matching import L33T_TABLE, RANKED_DICTIONARIES, build_ranked_dict, omnimatch
from zxcvbn.scoring import most_guessable_match_sequence
from zxcvbn.time_estimates import guesses_to_score

from userapi.core.problems import ValidationFailed
from userapi.http.fields import MAX_NEW_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH
from userapi.security import throttling
from userapi.security.password_hashing import normalize_password

from . import queries
from .problems import EmailTaken

#: A longer password is judged by its beginning, since the cost grows with the square.
JUDGED_LENGTH = 48

#: zxcvbn tries every combination of readings, such as `3` as e; a password of many symbols has thousands of them.
MAX_READINGS = 16

#: Replaces these symbols, so that zxcvbn does not read them as characters.
ILLEGIBLE = {ord(sign): "~" for signs in L33T_TABLE.values() for sign in signs if not sign.isalnum()}

#: Where the forms that set a new password have it twice.
NEW_PASSWORD_FIELDS = ("new_password1", "new_password2")

#: Words that are tried first on a service like this one.
CONTEXT_WORDS = ("userapi", "account", "password")

#: From here on two texts count as alike; Django's own bound.
ALIKE = 0.7

#: A shorter piece of a name proves nothing: "Al" is in many good passwords.
MIN_PIECE_LENGTH = 4

#: A long passphrase may mention a name; one of which a quarter is the name is built on it.
MAX_LENGTH_RATIO = 4

COMMON = frozenset(FREQUENCY_LISTS["passwords"])


class WeakPassword(ValidationFailed):
    """The password breaks the policy."""

    title = lazy_gettext("Weak password")
    example_errors: ClassVar = {"password": ["Contains only digits."]}
    code = "weak_password"
    detail = lazy_gettext("Choose another password. See errors for the reasons.")


def check(password: str, personal: Iterable[str | None] = (), field: str = "password") -> None:
    """Hold a new password against the policy.

    Args:
        password: as typed.
        personal: the account's email, names and username.
        field: which field of the input to name.

    Raises:
        WeakPassword: with every reason.
    """
    found = reasons(password, personal)
    if found:
        raise WeakPassword(errors={field: found})


def check_of_new_account(password: str, email_key: str, personal: Iterable[str | None]) -> None:
    """Check the password of a new account; whether a good one's email is taken is for the database to say.

    Raises:
        WeakPassword: the password breaks the policy.
        ValidationFailed: it does, and the email is taken as well.
    """
    found = reasons(password, personal)
    if found and queries.is_email_taken(email_key):
        raise ValidationFailed(errors={**(EmailTaken().errors or {}), "password": found})
    if found:
        raise WeakPassword(errors={"password": found})


def reasons(password: str, personal: Iterable[str | None] = ()) -> list[str]:
    """Why a new password is refused; nothing when it is good. Takes what `check` takes."""
    return list(_reasons(normalize_password(password[:MAX_PASSWORD_LENGTH]), [text for text in personal if text]))


def rate(password: str, personal: Iterable[str | None] = ()) -> tuple[int, list[str]]:
    """How strong a password is, from 0 to 4, and why it is rejected. Takes what `check` takes."""
    text, known = normalize_password(password[:MAX_PASSWORD_LENGTH]), [text for text in personal if text]
    score = _score(text, known)
    return score, list(_reasons(text, known, score))


def require_same(
    first: str, second: str, personal: Iterable[str | None] = (), fields: tuple[str, str] = NEW_PASSWORD_FIELDS
) -> None:
    """Check that a new password was typed the same twice.

    Raises:
        ValidationFailed: it was not; with the reasons why the first is refused, if it is.
    """
    errors = repetition_errors(first, second, fields)
    if errors:
        found = reasons(first, personal)
        raise ValidationFailed(errors={**errors, **({fields[0]: found} if found else {})})


def repetition_errors(first: str, second: str, fields: tuple[str, str] = NEW_PASSWORD_FIELDS) -> dict[str, list[str]]:
    """Messages by field for a new password that was not typed the same twice."""
    return {} if first == second else {fields[1]: [_("The two passwords do not match.")]}


def add_errors(error: ValidationError, field: str, personal: Iterable[str | None] = ()) -> None:
    """Add what is wrong with a new password to the errors of a form that is refused for other fields.

    The policy takes tens of milliseconds for the worst passwords, and no other throttle counts such forms.

    Args:
        error: of the schema; its messages are added to.
        field: which holds the password.
        personal: the email, names and username in the form.
    """
    password = _valid_text(error, field)
    if password is not None and throttling.try_attempt("PASSWORD_FEEDBACK", throttling.get_client_subject()):
        found = reasons(password, personal)
        if found:
            error.messages_dict[field] = found


def add_repetition_errors(error: ValidationError) -> None:
    """Add that a new password was not typed the same twice to the errors of a form that is refused for other fields."""
    first, second = (_valid_text(error, field) for field in NEW_PASSWORD_FIELDS)
    if first is not None and second is not None:
        error.messages_dict.update(repetition_errors(first, second))


def _valid_text(error: ValidationError, field: str) -> str | None:
    """The text of a field that the schema took."""
    valid = error.valid_data
    text = valid.get(field) if isinstance(valid, dict) else None
    return text if isinstance(text, str) else None


def _reasons(password: str, personal: list[str], score: int | None = None) -> Iterable[str]:
    """Why a password is rejected; `score` is that of `_score` if it is known already."""
    minimum: int = current_app.config["PASSWORD_MIN_LENGTH"]
    if len(password) < minimum:
        yield _("Shorter than minimum length {min}.").format(min=minimum)
    if len(password) > MAX_NEW_PASSWORD_LENGTH:
        yield _("Longer than maximum length {max}.").format(max=MAX_NEW_PASSWORD_LENGTH)
        return
    if "\x00" in password or any(unicodedata.category(character) == "Cs" for character in password):
        yield _("Contains characters that are not allowed in passwords.")
        return
    folded = password.casefold()
    if password.isdecimal():
        yield _("Contains only digits.")
    if folded in COMMON:
        yield _("One of the most common passwords.")
    if any(_is_close(folded, text) for text in personal):
        yield _("Too similar to your email or name.")
    if any(word in folded and len(folded) < 2 * len(word) for word in CONTEXT_WORDS):
        yield _("Contains a word that is too easy to guess.")
    if not password:
        return
    if (_score(password, personal) if score is None else score) < current_app.config["PASSWORD_MIN_SCORE"]:
        yield _("Too easy to guess. Try a few unrelated words.")


def _is_close(folded: str, text: str) -> bool:
    text = normalize_password(text[:254]).casefold()
    pieces = {text, *text.replace("@", " ").replace(".", " ").replace("-", " ").split()}
    return any(
        (piece in folded and len(folded) <= MAX_LENGTH_RATIO * len(piece))
        or (len(folded) <= 2 * len(piece) and SequenceMatcher(a=folded, b=piece).ratio() >= ALIKE)
        for piece in pieces
        if len(piece) >= MIN_PIECE_LENGTH
    )


def _score(password: str, personal: list[str]) -> int:
    """zxcvbn's estimate, 0 (guessed immediately) to 4.

    Its own function keeps the personal words where other threads find them, and takes seconds for some passwords.
    """
    judged = _legible(password[:JUDGED_LENGTH])
    words = build_ranked_dict([text[:JUDGED_LENGTH].lower() for text in personal])
    matches = omnimatch(judged, {**RANKED_DICTIONARIES, "user_inputs": words})
    score: int = guesses_to_score(most_guessable_match_sequence(judged, matches)["guesses"])
    return score


def _legible(password: str) -> str:
    """A password that has few enough readings; one of so many different signs is no word anyway."""
    readings = math.prod(max(1, sum(sign in password for sign in signs)) for signs in L33T_TABLE.values())
    return password if readings <= MAX_READINGS else password.translate(ILLEGIBLE)
