"""Whatever an operator writes as a scope: it is refused, or it narrows what ``scope.since`` leaves. It never widens that."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from itopsync.engine.scope import scope_of
from itopsync.errors import ConfigurationError
from itopsync.simulator.oql_syntax import Binary, Field, LexerError, OqlError, parse
from tests.config.making import load

PIECES = st.sampled_from(
    [
        *(
            "this.org_id = 3",
            "1 = 1",
            "AND",
            "OR",
            "(",
            ")",
            "'",
            '"',
            "`",
            "\\",
            "UNION SELECT UserRequest",
            "SELECT",
            "WHERE",
            "--",
        ),
        *(
            "title LIKE '%)%'",
            "'\\'",
            "`(`",
            "`)` = 1",
            "#",
            "/*",
            "*/",
            "\n",
            "\x00",
            "this",
            "=",
            "IN (1, 2)",
            "NULL",
            ":x",
            "é",
        ),
    ]
)
CONDITIONS = st.lists(PIECES | st.text(max_size=6), min_size=1, max_size=8).map(" ".join)
any_condition = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)


@any_condition
@example("1 = 1) OR (1 = 1")
@example("`(` = 1) OR (`)` = 1")
@example("'\\') OR (1 = 1 OR '' = '")
@example("`\\` = 1) OR (`\\` = 1")
@given(CONDITIONS)
def test_a_scope_never_widens_what_is_taken_up(tmp_path: Path, condition: str) -> None:
    try:
        loaded = load(tmp_path, {"scope.condition": condition})
    except ConfigurationError:
        return
    cls = loaded.rules.classes[0]
    try:
        (query,) = parse(f"SELECT {cls.external} AS this WHERE {scope_of(loaded.rules, cls)}")
    except (OqlError, LexerError):
        return  # iTop refuses it, and `check` says so
    where = query.where
    if cls.scope:
        assert isinstance(where, Binary)
        assert where.operator.upper() in ("AND", "&")
        where = where.left
    assert isinstance(where, Binary)
    assert isinstance(where.left, Field)
    assert (where.left.name.text, where.operator) == (cls.since_attribute, ">=")


@pytest.mark.parametrize("condition", ["1 = 1) OR (1 = 1", "`(` = 1) OR (`)` = 1", "SELECT UserRequest", "(", "'"])
def test_what_would_break_out_is_refused(tmp_path: Path, condition: str) -> None:
    with pytest.raises(ConfigurationError):
        load(tmp_path, {"scope.condition": condition})
