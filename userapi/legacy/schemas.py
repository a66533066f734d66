"""The schemas of requests that only clients of the replaced service send."""

from marshmallow import fields

from userapi.http.fields import range_check
from userapi.users.schemas import UserListSchema

#: The maximum number of users in a response that has no pages.
MAX_USERS = 1000


class WholeListSchema(UserListSchema):
    """The filters and order of a list of users that has no `limit`."""

    limit = fields.Integer(load_default=MAX_USERS, validate=range_check(1, MAX_USERS))
