"""The environment that tests run in: real parts, cheap hashes."""

import os
from collections.abc import Mapping
from typing import Any

import config

# Commands speak the language of the shell; tests read English.
os.environ["LC_ALL"] = "C.UTF-8"

SECRET_KEY = "vK3x-9QmZ_t7Rw2LpY8sUe5HbN4cJ6aG"


def app_config(database_url: str, key_folder: str, **overrides: str) -> Mapping[str, Any]:
    """What `config.load` makes of a test's environment; nothing is done in the background but where letters go out."""
    return config.load(
        {
            "SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": database_url,
            "JWT_KEY_DIR": key_folder,
            "SITE_URL": "http://accounts.example.com",
            "PASSWORD_HASH_MEMORY": "8",
            "PASSWORD_HASH_TIME": "1",
            "WORKER_THREADS": "64",
            "PASSWORD_HASH_CONCURRENCY": "2",
            "LOG_LEVEL": "INFO",
            "LOG_FORMAT": "json",
            "RATELIMIT_ENABLED": "false",
            **({} if overrides.get("MAIL_SERVER") else {"MAIL_DELIVERY": "none"}),
            **overrides,
        }
    )
