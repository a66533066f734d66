"""Staff who may do nothing yet read what is missing and who can give it."""

import pytest
from desk import clerk
from flask import Flask


def test_staff_without_permissions_read_which_one_is_missing_and_who_can_give_it(app: Flask) -> None:
    page = clerk(app, is_staff=True).get("/admin/").text

    assert "No permissions yet" in page
    assert "To see users you need the permission <code>view_user</code>. A superuser can give it to you" in page


@pytest.mark.parametrize(
    "rights", [{"rights": ("view_user",)}, {"rights": ("change_group",)}, {"rights": ("view_event",)}]
)
def test_staff_with_a_permission_do_not_read_it(app: Flask, rights: dict[str, tuple[str, ...]]) -> None:
    assert "No permissions yet" not in clerk(app, is_staff=True, **rights).get("/admin/").text


def test_superusers_do_not_read_it(app: Flask) -> None:
    assert "No permissions yet" not in clerk(app, is_staff=True, is_superuser=True).get("/admin/").text
