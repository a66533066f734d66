"""A user-account service: accounts with profiles, tokens, sessions and a staff site."""

VERSION = "0.1.0"
