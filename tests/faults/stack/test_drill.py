"""The guide that restores PostgreSQL to a moment, run word for word."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from drill import Drill
from processes import ServiceMissing

from tests.support import commands

pytestmark = pytest.mark.stack


def test_a_restored_database_has_what_was_there_and_lets_nothing_that_had_ended_work_again(
    report: Callable[[str], None],
) -> None:
    with tempfile.TemporaryDirectory(prefix="dr-", ignore_cleanup_errors=True) as folder:
        try:
            drill = Drill(Path(folder).resolve(), 3, lambda _line: None, commands.bare_environment())
        except ServiceMissing as error:
            pytest.skip(str(error))
        result = drill.run()

    report(f"restored to a moment in {sum(result.seconds.values()):.0f} s, {len(result.findings)} findings")
    assert [finding for finding in result.findings if not finding.is_right] == []
    assert len(result.findings) > 20
