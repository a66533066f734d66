"""Other spellings of ids, paths and methods give no more permissions."""

from typing import Any

from tests.support.api_client import ApiUser

LIST = "/userapi/users/"
SPELLINGS = (
    "0{id}", "+{id}", "-{id}", "{id}.0", "{id}e0", "0x{id}", "{id}%00", "%20{id}", "{id}%20", "{id}%0a", "{id},1",
    "{id};x", "{id}.", "{id}.json", "1/../{id}", "./{id}", "..%2f{id}", "{id}'", "{id}%20OR%201=1", "\\{id}",
    "{arabic}", "{fullwidth}", "0", "-1", "9223372036854775808", "18446744073709551617", "1" + "0" * 400,
    "null", "undefined", "true", "me", "*", "[]", "%ff", "%c0%b1", "%u0031",
)  # fmt: skip


def test_Z06_an_id_has_one_spelling(user: ApiUser, other_user: ApiUser) -> None:
    arabic = "".join(chr(0x660 + int(digit)) for digit in str(other_user.id))
    fullwidth = "".join(chr(0xFF10 + int(digit)) for digit in str(other_user.id))
    for spelling in SPELLINGS:
        path = spelling.format(id=other_user.id, arabic=arabic, fullwidth=fullwidth)

        response = user.get(f"{LIST}{path}/")

        assert response.status_code in (403, 404), spelling
        assert other_user.email not in response.text, spelling


def test_Z06_staff_cannot_reach_a_user_by_another_spelling_of_the_id(staff: ApiUser, user: ApiUser) -> None:
    arabic = "".join(chr(0x660 + int(digit)) for digit in str(user.id))
    for spelling in SPELLINGS:
        response = staff.get(f"{LIST}{spelling.format(id=user.id, arabic=arabic, fullwidth=arabic)}/")

        assert response.status_code == 404, spelling


def test_Z06_an_escaped_digit_or_slash_follows_the_same_rule(user: ApiUser, other_user: ApiUser) -> None:
    escaped = "".join(f"%{ord(digit):x}" for digit in str(other_user.id))

    assert user.get(f"{LIST}{escaped}/").status_code == 403
    assert user.get(f"{LIST}{other_user.id}%2f").status_code == 403


def test_Z07_no_header_or_field_overrides_the_method_or_path(user: ApiUser, other_user: ApiUser) -> None:
    tricks: list[dict[str, Any]] = [
        {"headers": {"X-HTTP-Method-Override": "DELETE"}},
        {"headers": {"X-Method-Override": "DELETE"}},
        {"headers": {"X-HTTP-Method": "DELETE"}},
        {"query_string": {"_method": "DELETE"}},
        {"headers": {"X-Original-URL": LIST}},
        {"headers": {"X-Rewrite-URL": LIST}},
        {"headers": {"X-Forwarded-Prefix": LIST}},
    ]
    for trick in tricks:
        response = user.get("/userapi/auth/user/", **trick)

        assert response.status_code == 200, trick
        assert response.get_json()["id"] == user.id, trick
    assert user.post("/userapi/auth/user/", headers={"X-HTTP-Method-Override": "GET"}).status_code == 405
    assert user.open(LIST, method="HEAD").status_code == 403
    assert other_user.get(other_user.url).status_code == 200


MISSPELT_PATHS = (
    "//userapi/users/", "/userapi//users/", "/userapi/./users/", "/userapi/auth/../users/", "/userapi/users/;x",
    "/userapi/users;x/", "/USERAPI/USERS/", "/userapi/Users/", "/userapi/users./", "/userapi/users%2f",
    "/userapi/users/%2e/", "/userapi%2fusers/", "/userapi/users//", "/userapi/users/.json", "/userapi\\users/",
)  # fmt: skip


def test_Z07_a_misspelt_path_grants_no_more_permissions(user: ApiUser) -> None:
    for path in MISSPELT_PATHS:
        response = user.get(path)

        assert response.status_code in (403, 404), path
        assert "results" not in response.text, path
