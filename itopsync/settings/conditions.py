"""Conditions in OQL, as they are written in ``sync.toml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from itopsync.settings.section import Text, Wrong


def _check_condition(condition: str) -> str:
    if condition.upper().startswith(("SELECT ", "WHERE ")):
        remedy = 'Write what would follow WHERE, with `this` for the ticket: "this.org_id = 3"'
        raise Wrong("it is a whole query rather than a condition", remedy)
    if not _is_closed(condition):
        raise Wrong("a bracket or a quote is not closed", "Close it")
    return condition


def _is_closed(condition: str) -> bool:
    """Whether every bracket and quote of an OQL condition is closed, so that it can be put in brackets."""
    depth, quote, escaped = 0, "", False
    for char in condition:
        if quote:
            if escaped:
                escaped = False
            elif char == "\\" and quote != "`":
                escaped = True
            elif char == quote:
                quote = ""
        elif char in "'\"`":
            quote = char
        else:
            depth += {"(": 1, ")": -1}.get(char, 0)
            if depth < 0:
                return False
    return depth == 0 and not quote


Condition = Annotated[Text, AfterValidator(_check_condition)]
"""What would follow WHERE, with ``this`` for the ticket; it can be put in brackets."""
