"""PostgreSQL's estimates of how many rows a statement returns, from its statistics, without running the statement."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from .db import read_all


class _Explain(sa.Executable, sa.ClauseElement):
    inherit_cache = False

    def __init__(self, statement: sa.Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain)
def _explain(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"


def estimate_rows(statement: sa.Select[Any], parameters: Mapping[str, Any]) -> int:
    """The number of rows that PostgreSQL expects, at least 1."""
    explained: Any = _Explain(statement)
    (plan,) = read_all(explained, dict(parameters))[0]
    return int(plan[0]["Plan"]["Plan Rows"])
