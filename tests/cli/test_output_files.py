"""Files that commands write replace only regular files that are not their input."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from tests.support import commands
from tests.support.factories import make_user

Shell = Callable[..., Result]

USERS = "email\nada@example.com\nnot an email\n"

COMMANDS = {
    "users export": ("users", "export", "{}"),
    "audit export": ("audit", "export", "{}"),
    "report": ("users", "import", "people.csv", "--report", "{}"),
}


@pytest.fixture
def run_command(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The `flask` command in a folder with a file of users: `run_command("users", "list")`."""
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_text(USERS)

    def invoke(*arguments: str) -> Result:
        return app.test_cli_runner().invoke(args=arguments)

    return invoke


def arguments_with(command: str, path: Path) -> list[str]:
    return [word.format(path) for word in COMMANDS[command]]


@pytest.mark.parametrize("linked", [False, True], ids=["itself", "behind a symbolic link"])
@pytest.mark.parametrize("command", COMMANDS)
def test_only_regular_files_are_replaced(run_command: Shell, tmp_path: Path, command: str, linked: bool) -> None:
    pipe, path = tmp_path / "pipe", tmp_path / "out.csv"
    os.mkfifo(pipe if linked else path)
    if linked:
        path.symlink_to(pipe)
    before = sorted(tmp_path.iterdir())

    result = run_command(*arguments_with(command, path))

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: Cannot write {path}: it is not a regular file.\n"
    assert sorted(tmp_path.iterdir()) == before
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert path.is_symlink() == linked


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_symbolic_link_is_followed(run_command: Shell, tmp_path: Path, command: str, exists: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, path = tmp_path / "elsewhere" / "kept.csv", tmp_path / "out.csv"
    path.symlink_to(Path("elsewhere") / "kept.csv")
    if exists:
        target.write_text("old")

    run_command(*arguments_with(command, path))

    assert path.is_symlink()
    assert "," in target.read_text()
    assert stat.S_IMODE(target.lstat().st_mode) == 0o600
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_link_to_itself_gets_one_sentence(run_command: Shell, tmp_path: Path, command: str) -> None:
    path = tmp_path / "out.csv"
    path.symlink_to(path)

    result = run_command(*arguments_with(command, path))

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith(f"Error: Cannot write {path}: ")
    assert path.is_symlink()


@pytest.mark.parametrize("command", COMMANDS)
def test_other_files_in_the_folder_are_kept(run_command: Shell, tmp_path: Path, command: str) -> None:
    for name in ("out.csv.part", ".out.csv.part", "out.part", "out.csv.new", "out.csv.tmp"):
        (tmp_path / name).write_text("kept")

    run_command(*arguments_with(command, tmp_path / "out.csv"))

    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert "," in written.pop("out.csv")
    assert written.pop("people.csv") == USERS
    assert len(written) == 5
    assert set(written.values()) == {"kept"}


@pytest.mark.parametrize("name", ["people.csv", "./people.csv", "symbolic.csv", "hard.csv"])
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_report_never_replaces_the_imported_file(run_command: Shell, name: str, options: tuple[str, ...]) -> None:
    Path("symbolic.csv").symlink_to("people.csv")
    Path("hard.csv").hardlink_to("people.csv")

    result = run_command("users", "import", "people.csv", "--report", name, *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == (
        "Error: The report would overwrite the imported file. Use another name for --report."
    )
    assert Path("people.csv").read_text() == USERS
    assert "ada@example.com" not in run_command("users", "list").stdout


def test_a_report_never_replaces_the_file_on_standard_input(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(USERS)

    with path.open() as stdin:
        process = commands.start(
            *commands.FLASK, "users", "import", "-", "--format", "csv", "--report", str(path),
            env=commands.environment_for(app), stdin=stdin,
        )  # fmt: skip
        result = commands.finish(process)

    assert result.code == 2
    assert "The report would overwrite the imported file." in result.errors
    assert path.read_text() == USERS


def test_an_old_report_is_kept_when_the_file_cannot_be_imported(run_command: Shell, tmp_path: Path) -> None:
    Path("report.csv").write_text("old")
    Path("people.csv").write_text("shoe_size\n38\n")

    assert run_command("users", "import", "people.csv", "--report", "report.csv").exit_code == 1

    assert Path("report.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.csv", "report.csv"]


def test_an_export_replaces_an_existing_file(app: Flask, run_command: Shell) -> None:
    make_user(app, email="ada@example.com")
    Path("out.csv").write_text("old")

    assert run_command("users", "export", "out.csv").exit_code == 0

    assert "ada@example.com" in Path("out.csv").read_text()
