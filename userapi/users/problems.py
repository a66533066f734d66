"""The refusals of the rules about users."""

from userapi.core.problems import Problem, ValidationFailed


class EmailTaken(ValidationFailed):
    """The address belongs to an account, in whatever spelling."""

    code = "email_taken"
    title = "Email taken"
    detail = "This email address is in use. Sign in, or reset the password if it is yours."

    def __init__(self, field: str = "email") -> None:
        super().__init__(errors={field: ["This email address is already in use."]})


class LastSuperuser(Problem):
    """Nobody could administer the service any more."""

    status = 409
    code = "last_superuser"
    title = "Last superuser"
    detail = "This is the last active superuser. Make another one first."


class ReadOnlyField(ValidationFailed):
    """A field was sent with another value by someone who may not set it."""
