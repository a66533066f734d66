"""Create users who have signed in with other services by allauth: prints two dumps, plain and with natural keys."""

import io
import json
import os
import sys

ACME = "https://login.acme.example"


def answers():
    """The response of each provider, as allauth passes it on, by provider of the account and email."""
    claims = {"iss": ACME, "sub": "acme-6", "aud": "old-client", "email": "f6@acme.example"}
    return {
        ("google", "a1@example.com"): {"sub": "1001", "email": "a1@gmail.com", "email_verified": True},
        ("microsoft", "b2@example.com"): {"id": "2002", "mail": "b2@example.com"},
        ("apple", "c3@example.com"): {"sub": "003.c", "email": "c3@privaterelay.appleid.com"},
        ("github", "d4@example.com"): {"id": 4004, "login": "d4", "html_url": "https://github.com/d4", "email": None},
        ("gitlab", "e5@example.com"): {"id": 5005, "username": "e5", "web_url": "https://gitlab.acme.example/e5"},
        ("acme", "f6@example.com"): {"id_token": claims, "userinfo": {"sub": "acme-6", "email": "f6@acme.example"}},
        ("acme", "g7@example.com"): {"sub": "acme-7", "email": "g7@acme.example"},  # as before 65.11
        ("by_name", "h8@example.com"): {"sub": "acme-8", "preferred_username": "h8"},
        ("elsewhere", "i9@example.com"): {"sub": "acme-9"},
        ("facebook", "j10@example.com"): {"id": "10010", "name": "J"},
    }


APPS = {
    "google": {},
    "acme": {"server_url": ACME},
    "by_name": {"server_url": f"{ACME}/.well-known/openid-configuration", "uid_field": "preferred_username"},
    "elsewhere": {"server_url": "https://elsewhere.example"},
}


def fill():
    """Create the users, as allauth does with the responses of the provider."""
    from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
    from allauth.socialaccount.providers import registry
    from api.models import User

    apps = {}
    for name, settings in APPS.items():
        kinds = {"provider": name} if name == "google" else {"provider": "openid_connect", "provider_id": name}
        apps[name] = SocialApp.objects.create(
            **kinds, name=name, client_id="old-client", secret="old client secret", settings=settings
        )
    for (name, email), data in answers().items():
        app = apps.get(name) or SocialApp(provider=name)
        provider = registry.get_class(app.provider)(request=None, app=app)
        user = User.objects.create(email=email, username=email)
        account = SocialAccount.objects.create(
            user=user, provider=app.provider_id or app.provider, uid=provider.extract_uid(data), extra_data=data
        )
        SocialToken.objects.create(account=account, token="an access token")


def dump(**options):
    """What `manage.py dumpdata` prints."""
    from django.core.management import call_command

    out = io.StringIO()
    call_command("dumpdata", "api", "socialaccount", stdout=out, **options)
    return out.getvalue()


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "social_settings"
    os.environ.setdefault("DATABASE", ":memory:")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    fill()
    sys.stdout.write(json.dumps([dump(), dump(use_natural_foreign_keys=True)]))
