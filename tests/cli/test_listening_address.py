"""HOST and PORT of `make run`: an unusable address is rejected before any file is created."""

import signal
from pathlib import Path

import processes
import pytest

from tests.support import commands, http_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """An environment with its own folder for database and keys."""
    folder.mkdir()
    return commands.environment(f"sqlite:///{folder}/test.db", folder, **variables)


def test_a_host_name_is_resolved_and_printed_as_set(tmp_path: Path) -> None:
    env = environment(tmp_path / "own", HOST="localhost")

    with http_server.run_server(tmp_path, env) as server:
        assert processes.status(f"{server.url}/userapi/") == 200
        assert f"  {server.url}/userapi/\n" in server.log.read_text()
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("no-such-host.invalid", "HOST: Cannot find the IP address of no-such-host.invalid: "),
        ("192.0.2.1", "HOST: This machine does not have the IP address 192.0.2.1."),
        ("fe80::1", "fe80::1"),
    ],
)
def test_an_unusable_host_gets_one_line_and_creates_no_file(tmp_path: Path, host: str, words: str) -> None:
    env = environment(tmp_path / "own", HOST=host, PORT=str(processes.free_port()))

    done = commands.run(*commands.RUN, env=env)

    assert done.is_one_line, done
    assert words in done.errors
    assert list((tmp_path / "own").iterdir()) == []


def test_a_second_start_on_a_port_gets_one_line_and_keeps_the_metrics_of_the_first(tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    counts.mkdir()
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(counts)}

    with http_server.run_server(tmp_path, environment(tmp_path / "first", **shared)) as first:
        before = set(counts.iterdir())
        port = first.environment["PORT"]
        done = commands.run(*commands.RUN, env=environment(tmp_path / "second", PORT=port, **shared))

        assert before
        assert before <= set(counts.iterdir())
        assert processes.status(f"{first.url}/readyz") == 200

    assert done.is_one_line, done
    assert f"PORT: {port} is already in use on 127.0.0.1." in done.errors
    assert list((tmp_path / "second").iterdir()) == []


def test_only_one_of_several_parallel_starts_on_a_port_serves(tmp_path: Path) -> None:
    port = str(processes.free_port())
    folders = [tmp_path / name for name in ("first", "second", "third")]
    started = [commands.start(*commands.RUN, env=environment(folder, PORT=port)) for folder in folders]
    try:
        wait_until(lambda: sum(process.poll() is not None for process in started) == 2, timeout=60)
        (running,) = (process for process in started if process.poll() is None)
        http_server.wait_until_ready(f"http://127.0.0.1:{port}", running)
    finally:
        for process in started:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
    done = [commands.finish(process) for process in started]

    assert sorted(result.code for result in done) == [0, 1, 1]
    for result, folder in zip(done, folders, strict=True):
        assert result.code == 0 or result.is_one_line
        assert result.code == 0 or list(folder.iterdir()) == []
