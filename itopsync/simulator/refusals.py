"""iTop's refusals."""

from __future__ import annotations

from collections.abc import Sequence


class Refusal(Exception):
    """A response with a code other than 0. ``code`` 100 is iTop's "everything else"."""

    def __init__(self, message: str, code: int = 100) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class BareRefusal(Exception):
    """A response with ``objects: null`` whose message does not begin with "Error: ": a missing right (code 1), an impossible
    stimulus (100), an invalid page number (13)."""

    def __init__(self, message: str, code: int = 100) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Crash(Exception):
    """A PHP fatal error: HTTP 500 with an HTML body, nothing written."""


def cannot_save(issues: Sequence[str], class_name: str, key: int | str) -> Refusal:
    """iTop's refusal if an object fails its checks. ``key`` is -1 for a new object, in 2.7 nothing."""
    listed = "; ".join(f"{place}=>{issue}" for place, issue in enumerate(issues))
    return Refusal(f"{', '.join(issues)}: issues = {{{listed}}}, class = {class_name}, id = {key}")


def failed_sql(statement: str, number: int, error: str, class_name: str, key: int | None) -> Refusal:
    """iTop's refusal if the database refuses a write. It contains the whole statement, on an update even twice.

    On a create, the code is the database's error number; on an update, 100.
    """
    text = f"Failed to issue SQL query: query = {statement}, mysql_errno = {number}, mysql_error = {error}"
    if key is None:
        return Refusal(text, number)
    return Refusal(f"{text}: id = {key}, class = {class_name}, issues = {{0=>{text}}}")


def failed_query(number: int, error: str) -> Refusal:
    """iTop's refusal if the database refuses a SELECT, without the statement that iTop would quote."""
    return Refusal(f"Failed to issue SQL query: query = SELECT …, mysql_errno = {number}, mysql_error = {error}", number)
