"""What another service does with a generated client: `python scenario.py http://127.0.0.1:8000 email password`."""

import datetime
import json
import sys

from accounts_client import AuthenticatedClient, Client
from accounts_client.api.tokens import obtain_tokens, refresh_tokens
from accounts_client.api.users import create_user, edit_user
from accounts_client.models import (
    Credentials,
    NewProfile,
    NewUser,
    Problem,
    ProfileEdit,
    Refresh,
    TokenPair,
    User,
    UserEdit,
)

_program, base_url, email, password = sys.argv
client = Client(base_url)

profile = NewProfile(
    title="Ms",
    dob=datetime.date(1990, 12, 10),
    address="12 Pulteney Street",
    country="United Kingdom",
    city="Bath",
    zip_="BA2 4",
)
user = create_user.sync(client=client, body=NewUser(email=email, password=password, profile=profile))
assert isinstance(user, User), user

signed_in = obtain_tokens.sync(client=client, body=Credentials(email=email, password=password))
assert isinstance(signed_in, TokenPair), signed_in

refreshed = refresh_tokens.sync(client=client, body=Refresh(refresh_token=signed_in.refresh_token))
assert isinstance(refreshed, TokenPair), refreshed

authenticated = AuthenticatedClient(base_url, token=refreshed.access_token)
changed = edit_user.sync(user.id, client=authenticated, body=UserEdit(profile=ProfileEdit(city="Bristol")))
assert isinstance(changed, User), changed

rejected = obtain_tokens.sync(client=client, body=Credentials(email=email, password="wrong"))
assert isinstance(rejected, Problem), rejected

print(
    json.dumps(
        {
            "email": changed.email,
            "city": changed.profile.city,
            "address": changed.profile.address,
            "rotated": refreshed.refresh_token != signed_in.refresh_token,
            "refused": rejected.code,
        }
    )
)
