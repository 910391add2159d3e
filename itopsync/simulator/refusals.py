"""How iTop says no."""

from __future__ import annotations

from collections.abc import Sequence


class Refusal(Exception):
    """An answer with a code other than 0. ``code`` 100 is iTop's "everything else"."""

    def __init__(self, message: str, code: int = 100) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class BareRefusal(Exception):
    """An answer with ``objects: null`` whose message does not begin with "Error: ": a missing right (code 1), a
    stimulus that is not possible (100), a page that is none (13)."""

    def __init__(self, message: str, code: int = 100) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Crash(Exception):
    """A PHP fatal error: HTTP 500 with an HTML body, nothing written."""


def cannot_save(issues: Sequence[str], class_name: str, key: int) -> Refusal:
    """What iTop says when its checks find the object wanting. ``key`` is -1 for one that is not there yet."""
    listed = "; ".join(f"{place}=>{issue}" for place, issue in enumerate(issues))
    return Refusal(f"{', '.join(issues)}: issues = {{{listed}}}, class = {class_name}, id = {key}")


def failed_sql(statement: str, number: int, error: str, class_name: str, key: int | None) -> Refusal:
    """What iTop says when the database refuses. The statement stands in it whole, on an update even twice.

    On a create the code is the database's own error number, on an update 100.
    """
    text = f"Failed to issue SQL query: query = {statement}, mysql_errno = {number}, mysql_error = {error}"
    if key is None:
        return Refusal(text, number)
    return Refusal(f"{text}: id = {key}, class = {class_name}, issues = {{0=>{text}}}")


def failed_query(number: int, error: str) -> Refusal:
    """What iTop says when the database refuses a SELECT; its statement, which would stand here, is left out."""
    return Refusal(f"Failed to issue SQL query: query = SELECT …, mysql_errno = {number}, mysql_error = {error}", number)
