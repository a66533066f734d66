"""Commands print texts in the language of the shell."""

import pytest
from click.testing import Result
from flask import Flask

from tests.support.factories import make_user


def run(app: Flask, *arguments: str, **variables: str) -> Result:
    cleared = {"LC_ALL": None, "LC_MESSAGES": None, "LANG": None}
    return app.test_cli_runner().invoke(args=arguments, env={**cleared, **variables})


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "can sign in."),
        ({"LANG": "C.UTF-8"}, "can sign in."),
        ({"LANG": "de_DE.UTF-8"}, "kann sich anmelden."),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "fr_FR.UTF-8"}, "peut se connecter."),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "es_ES@euro"}, "puede iniciar sesión."),
        ({"LANG": "ja_JP.UTF-8"}, "can sign in."),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "can sign in."),
        ({"LANG": "ar"}, "الدخول."),
        ({"LANG": "de.UTF-8"}, "kann sich anmelden."),
        ({"LANG": "de@euro"}, "kann sich anmelden."),
    ],
)
def test_a_command_uses_the_language_of_the_shell(app: Flask, variables: dict[str, str], said: str) -> None:
    make_user(app, email="wren@example.com")

    result = run(app, "users", "activate", "wren@example.com", **variables)

    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith(f"{said}\n")


def test_an_error_is_one_line_in_that_language(app: Flask) -> None:
    result = run(app, "users", "activate", "unknown@example.com", LANG="de_AT.UTF-8")

    assert result.exit_code == 1
    assert result.stderr == "Error: Es gibt keinen Benutzer mit der E-Mail-Adresse unknown@example.com.\n"


def test_counts_use_the_plural_forms_of_the_language(app: Flask) -> None:
    assert "0 Sitzungen gelöscht." in run(app, "sessions", "prune", LANG="de_DE.UTF-8").stdout
    assert "لم تُحذف أي جلسة." in run(app, "sessions", "prune", LANG="ar_EG.UTF-8").stdout
