"""The package that `pip` installs: its content, and that it runs without a checkout."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

import config
import userapi
from tests.support import commands, http_server
from tests.support.app_config import SECRET_KEY

pytestmark = pytest.mark.slow

#: Modules in a folder that have the names of modules of the service or its libraries.
TRAPS = (
    "alembic.py", "config.py", "env.py", "flask.py", "migrations/__init__.py", "settings.py", "tests/__init__.py",
    "userapi/__init__.py", "userapi/settings.py", "wsgi.py",
)  # fmt: skip
BUILD = ("-m", "pip", "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation")
INSTALL = ("-m", "pip", "-q", "--python")

NEW_USER = {
    "email": "grace@example.com",
    "password": "copper lantern 41 drift",
    "first_name": "Grace",
    "profile": {
        "title": "Ms", "dob": "1986-12-09", "address": "3 Harbour Row", "country": "Ireland", "city": "Cork",
        "zip": "T12",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the checkout so that the build leaves nothing in it."""
    folder = tmp_path_factory.mktemp("build")
    tree = commands.copy_source_tree(folder / "checkout")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(config.ROOT / name, tree / name)
    return build(tree)


def build(tree: Path) -> Path:
    """The wheel of a source tree, beside it."""
    done = commands.run(sys.executable, *BUILD, "-w", str(tree.parent), str(tree), env=commands.bare_environment())
    assert done.code == 0, done
    (built,) = tree.parent.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `userapi` of an environment that has the wheel; the other packages are those of the tests."""
    return install(tmp_path_factory.mktemp("environment"), wheel)


@pytest.fixture(scope="module")
def program_with_shop(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the wheel of the extension in `tests/extension_project`."""
    folder = tmp_path_factory.mktemp("shop")
    tree = shutil.copytree(config.ROOT / "tests/extension_project", folder / "checkout")
    return install(folder / "environment", wheel, build(tree))


def install(folder: Path, *wheels: Path) -> Path:
    """Create an environment that has these wheels, and return its command `userapi`."""
    venv.create(folder, symlinks=True)
    packages = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (packages / "others.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    subprocess.run(
        [sys.executable, *INSTALL, folder / "bin" / "python", "install", "--no-index", "--no-deps", *wheels], check=True
    )
    return folder / "bin" / "userapi"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with nothing but modules that must not be imported."""
    folder = tmp_path / "work"
    for name in TRAPS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"raise RuntimeError('{name} of the working directory was imported')\n")
    (folder / ".flaskenv").write_text("FLASK_APP=wsgi\n")
    return folder


def environment(**variables: str) -> dict[str, str]:
    """An environment with only these settings, in which no checkout is found."""
    values = commands.bare_environment(**variables)
    del values["PYTHONPATH"], values["FLASK_SKIP_DOTENV"]
    return values


def settings_of(folder: Path) -> dict[str, str]:
    """A secret, and a database and keys outside `instance/`."""
    return {
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": f"sqlite:///{folder}/accounts.db",
        "JWT_KEY_DIR": f"{folder}/keys",
        "DATA_KEY_DIR": f"{folder}/data_keys",
    }


def files_of(instance: Path) -> set[str]:
    return {path.name for path in instance.iterdir()}


def files(folder: Path) -> set[str]:
    """The files of a folder of the checkout that are not made by running it."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_one_top_level_package_with_every_file_of_the_service(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        (top_level,) = (archive.read(name) for name in names if name.endswith(".dist-info/top_level.txt"))

    modules = {name for name in names if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in modules} == {"userapi"}
    assert top_level == b"userapi\n"
    assert modules == {
        *(f"userapi/{name}" for name in files(config.ROOT / "userapi")),
        *(f"userapi/migrations/{name}" for name in files(config.ROOT / "migrations")),
    }


def test_an_installed_service_runs_beside_modules_of_any_name(program: Path, folder: Path) -> None:
    before = files(folder)

    with http_server.run_server(folder.parent, environment(), cwd=folder, command=(str(program), "run")) as server:
        with httpx.Client(base_url=server.url) as client:
            assert client.post("/userapi/users/", json=NEW_USER).status_code == 201
            signed_in = client.post("/userapi/auth/login/", json={k: NEW_USER[k] for k in ("email", "password")})
            token = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
            me = client.get("/userapi/auth/user/", headers=token)
            page = client.get("/login/", headers={"Accept-Language": "de"})
            styles = re.findall(r'href="(/static/[^"]+\.css[^"]*)"', page.text)
            pages = ("/docs/", "/openapi.json", "/admin/", *styles)
            responses = [client.get(path, follow_redirects=True).status_code for path in pages]
        listed = commands.run(str(program), "users", "list", env=environment(), cwd=folder)
        doctor = commands.run(str(program), "doctor", env=environment(), cwd=folder)
        advice = server.log.read_text()

    assert me.json()["email"] == NEW_USER["email"]
    assert "Anmelden" in page.text
    assert styles
    assert set(responses) == {200}
    assert (listed.code, NEW_USER["email"] in listed.output) == (0, True), listed
    assert doctor.code == 0, doctor
    assert "userapi mail list" in advice
    made = {Path(name).parts[0] for name in files(folder) - before}
    assert made == {"instance"}
    assert {"secret_key", "userapi.db", "keys"} <= files_of(folder / "instance")
    assert not list(program.parent.parent.rglob("instance"))


def test_an_installed_package_migrates_a_database(program: Path, folder: Path) -> None:
    env = environment(**settings_of(folder))

    done = [commands.run(str(program), *words.split(), env=env, cwd=folder) for words in (
        "db upgrade", "db current", "keys rotate", "doctor",
    )]  # fmt: skip

    assert [each.code for each in done] == [0, 0, 0, 0], done
    assert "(head)" in done[1].output
    assert not (folder / "instance").exists()


def test_the_help_of_an_installed_package_lists_the_commands_and_the_version(program: Path, folder: Path) -> None:
    env = environment(**settings_of(folder))

    shown = commands.run(str(program), "--help", env=env, cwd=folder)
    version = commands.run(str(program), "--version", env=env, cwd=folder)

    listed = re.findall(r"^  ([a-z]+) ", shown.output.partition("Commands:")[2], re.MULTILINE)
    assert {"audit", "db", "doctor", "groups", "keys", "mail", "run", "sessions", "users"} <= set(listed)
    assert version.output == f"userapi, version {userapi.VERSION}\n"


def test_instance_data_is_stored_in_the_folder_of_the_setting(program: Path, folder: Path) -> None:
    before = files(folder)
    (folder / ".env").write_text("USERAPI_INSTANCE=../data/accounts\n")
    data = folder.parent / "data" / "accounts"

    with http_server.run_server(folder.parent, environment(), cwd=folder, command=(str(program), "run")) as server:
        listed = commands.run(str(program), "users", "list", env=environment(), cwd=folder)
        elsewhere = environment(USERAPI_INSTANCE=str(data))
        listed_elsewhere = commands.run(str(program), "users", "list", env=elsewhere)

    assert [(each.code, server.email in each.output) for each in (listed, listed_elsewhere)] == [(0, True)] * 2
    assert {"secret_key", "userapi.db", "keys"} <= files_of(data)
    assert files(folder) - before == {".env"}


def test_an_invalid_setting_of_an_installed_package_is_a_one_line_error(program: Path, folder: Path) -> None:
    for command in ("run", "doctor"):
        done = commands.run(str(program), command, env=environment(SECRET_KEY=SECRET_KEY, PORT="many"), cwd=folder)
        assert done.is_one_line, done
        assert done.errors.startswith("userapi: PORT: ")

    rejected = commands.run(
        str(program), "run", env=environment(USERAPI_INSTANCE=str(folder / "config.py")), cwd=folder
    )
    assert rejected.is_one_line, rejected
    assert rejected.errors.startswith("userapi: USERAPI_INSTANCE: ")


def test_W23_an_installed_extension_is_part_of_the_installed_service(program_with_shop: Path, folder: Path) -> None:
    program, env = str(program_with_shop), environment(EXTENSIONS="shop:extension")

    with http_server.run_server(folder.parent, env, cwd=folder, command=(program, "run")) as server:
        with httpx.Client(base_url=server.url) as client:
            denied = client.post("/userapi/users/", json=NEW_USER | {"email": "grace@rival.example"})
            client.post("/userapi/users/", json=NEW_USER)
            credentials = {k: NEW_USER[k] for k in ("email", "password")}
            token = client.post("/userapi/auth/login/", json=credentials).json()["access_token"]
            bought = client.post(
                "/userapi/shop/basket/", json={"items": 2}, headers={"Authorization": f"Bearer {token}"}
            )
            ready = client.get("/readyz")
        with httpx.Client(base_url=server.url) as staff:
            staff.post(
                "/userapi/auth/login/", json={"email": server.email, "password": server.password, "cookies": True}
            )
            page = staff.get("/admin/shop/baskets/", headers={"Accept": "text/html"})
    words = ("shop list", "db current", "db downgrade shop@base", "doctor", "db upgrade heads", "shop list", "doctor")
    done = [commands.run(program, *each.split(), env=env, cwd=folder) for each in words]

    assert (denied.status_code, bought.json(), ready.status_code) == (403, {"items": 2}, 200)
    assert (page.status_code, NEW_USER["email"] in page.text) == (200, True)
    assert [each.code for each in done] == [0, 0, 0, 1, 0, 0, 0], done
    assert "shop_0001" in done[1].output
    assert "pending: shop_0001. Run `flask db upgrade heads`" in done[3].output
    assert (done[0].output, done[5].output) == ("2: 2\n", "")
