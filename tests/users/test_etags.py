"""Entity tags: unchanged users are not sent again, and a change cannot overwrite an unseen version."""

import pytest
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser

ME = "/userapi/auth/user/"
STALE = '"000000000000000000000000"'


def tag(response: TestResponse) -> str:
    """The entity tag of a response."""
    return response.headers["ETag"]


@pytest.mark.parametrize("address", ["users", "me"])
def test_an_unchanged_user_is_not_sent_again(user: ApiUser, address: str) -> None:
    url = user.url if address == "users" else ME
    first = user.get(url)

    again = user.get(url, headers={"If-None-Match": tag(first)})
    other = user.get(url, headers={"If-None-Match": STALE})

    assert again.status_code == 304
    assert again.data == b""
    assert tag(again) == tag(first)
    assert again.headers["X-Content-Type-Options"] == "nosniff"
    assert other.status_code == 200


def test_the_tag_is_the_same_for_owner_and_staff_and_changes_with_the_user(user: ApiUser, staff: ApiUser) -> None:
    before = tag(user.get(user.url))
    assert before == tag(staff.get(user.url)) == tag(user.open(user.url, method="HEAD"))
    assert user.patch(user.url, json={}, headers={"If-Match": tag(user.get(ME))}).status_code == 200

    changed = user.patch(user.url, json={"first_name": "Ada"})

    assert tag(changed) == tag(user.get(user.url)) != before


def test_a_new_user_has_a_tag(user: ApiUser, staff: ApiUser) -> None:
    response = staff.patch(user.url, json={"profile": {"city": "Wells"}})

    assert tag(response) == tag(user.get(user.url))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_N05_a_stale_tag_is_rejected_and_changes_nothing(user: ApiUser, staff: ApiUser, method: str) -> None:
    seen = user.get(user.url)
    user.patch(user.url, json={"first_name": "Ada"})
    current = user.get(user.url)
    body = None if method == "DELETE" else seen.get_json()

    stale = staff.open(user.url, method=method, json=body, headers={"If-Match": tag(seen)})
    assert stale.status_code == 412
    assert stale.get_json()["code"] == "precondition_failed"
    assert user.get(user.url).data == current.data

    fresh = staff.open(user.url, method=method, json=body, headers={"If-Match": tag(current)})
    assert fresh.status_code == (204 if method == "DELETE" else 200)


@pytest.mark.both
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_N05_the_own_account_path_checks_tags_too(user: ApiUser, method: str) -> None:
    seen = user.get(ME)

    assert user.open(ME, method=method, json=seen.get_json(), headers={"If-Match": STALE}).status_code == 412
    assert user.open(ME, method=method, json=seen.get_json(), headers={"If-Match": tag(seen)}).status_code == 200


def test_a_tag_weakened_by_a_proxy_is_rejected_with_the_reason(user: ApiUser) -> None:
    tag = user.get(user.url).headers["ETag"]

    weak = user.patch(user.url, json={"first_name": "Ada"}, headers={"If-Match": f"W/{tag}"})
    stale = user.patch(user.url, json={"first_name": "Ada"}, headers={"If-Match": 'W/"other"'})

    assert (weak.status_code, weak.get_json()["code"]) == (412, "precondition_failed")
    assert "weak ETag" in weak.get_json()["detail"]
    assert "changed" not in weak.get_json()["detail"]
    assert "has changed since you read it" in stale.get_json()["detail"]
    assert user.patch(user.url, json={"first_name": "Ada"}, headers={"If-Match": tag}).status_code == 200


@pytest.mark.parametrize("value", ["W/{tag}", '""', "garbage", '"', "*garbage", "{bare}x", ","])
def test_N05_rejects_a_tag_without_a_strong_match(user: ApiUser, value: str) -> None:
    current = tag(user.get(user.url))
    sent = value.format(tag=current, bare=current.strip('"'))

    assert user.patch(user.url, json={"first_name": "Ada"}, headers={"If-Match": sent}).status_code in (400, 412)
    assert user.get(user.url).get_json()["first_name"] == "Wren"


@pytest.mark.parametrize("value", ["*", "{tag}", '"x", {tag}'])
def test_N05_a_matching_tag_allows_the_change(user: ApiUser, value: str) -> None:
    current = tag(user.get(user.url))

    response = user.patch(user.url, json={"first_name": "Ada"}, headers={"If-Match": value.format(tag=current)})

    assert response.status_code == 200


def test_a_star_does_not_match_a_missing_user(staff: ApiUser) -> None:
    assert staff.delete("/userapi/users/987654321/", headers={"If-Match": "*"}).status_code == 404
