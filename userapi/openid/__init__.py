"""This service as an OpenID provider: other applications sign users in here (OpenID Connect, OAuth 2.1)."""
