"""Settings for tests: cheap password hashes, no throttles, nothing in the background."""

import os
from collections.abc import Mapping
from typing import Any

import config

# Commands use the language of the shell, and tests expect English.
os.environ["LC_ALL"] = "C.UTF-8"

SECRET_KEY = "vK3x-9QmZ_t7Rw2LpY8sUe5HbN4cJ6aG"


def app_config(database_url: str, key_folder: str, **overrides: str) -> Mapping[str, Any]:
    """The settings of an application. Nothing runs in the background, except delivery if there is a mail server."""
    return config.load(
        {
            "SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": database_url,
            "JWT_KEY_DIR": key_folder,
            "DATA_KEY_DIR": f"{key_folder}/data",
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
