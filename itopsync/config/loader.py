"""Finds and parses a file, and validates it table by table by its schema, such as :class:`~itopsync.config.schema.SyncFile`."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from itopsync.config.faults import Faults
from itopsync.errors import ConfigurationError, Fault, clip
from itopsync.settings.secrets import WAYS
from itopsync.settings.section import Section, Surroundings, Wrong, section_at, section_in

S = TypeVar("S", bound=Section)

LONGEST_FILE = 1_000_000
"""Bytes. A longer file is not a ``sync.toml``."""
PLACES = (Path("sync.toml"), Path("/etc/itopsync/sync.toml"))
VARIABLE = "ITOPSYNC_CONFIG"

_NEVER_CARRIED = (
    "agent, team, organisation and caller are never carried",
    "Remove it; name each side's own in external.defaults and internal.defaults",
)
_PASSWORD = (
    "a password does not belong in this file",
    "Put it into a file with mode 600 and name that file in password_file, or use password_env or password_credential",
)
_ADDRESS = ("an alert's address is a secret, and does not belong in this file", _PASSWORD[1])
_EXPLAINED = {
    **{
        f"rules.{row}": _NEVER_CARRIED
        for row in (
            "agent",
            "team",
            "organisation",
            "organization",
            "org",
            "caller",
            "agent_id",
            "team_id",
            "org_id",
            "caller_id",
        )
    },
    **{
        f"{section}.{key}": _PASSWORD
        for section in ("external", "internal", "store", "hooks.webhook", "hooks.dead_man")
        for key in ("password", "auth_pwd", "token")
    },
    **{f"hooks.alerts.<name>.{key}": _ADDRESS for key in ("url", "address", "password")},
    "since": ("the key is outside its table", "Write it below [scope]"),
}
"""Keys that people are likely to try, and why they do not exist."""

_MAY_BE_SECRET = re.compile(rf"(?:^|\.)(?:{'|'.join(WAYS)}|url|public_url|command)(?:\.|$)")
"""Keys into which people wrongly put passwords and tokens: their values are not quoted."""

_EXPECTED = {
    "string_pattern_mismatch": "it must be a name in iTop: letters, digits and underscores",
    "bool_type": "it must be true or false",
    "int_type": "it must be a whole number",
    "string_type": "it must be a text in quotes",
    "path_type": "it must be a text in quotes",
    "tuple_type": "it must be a list",
    "dict_type": "it must be a table",
    "model_type": "it must be a table",
    "model_attributes_type": "it must be a table",
}


def find(explicit: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the configuration file: *explicit* (``--config``), ``$ITOPSYNC_CONFIG``, ``./sync.toml`` or the one in ``/etc``.

    :raises ConfigurationError: there is none; it names all places searched
    """
    named = explicit or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    places = (named,) if named is not None else PLACES
    for place in places:
        if _is_there(place):
            return place
    looked = ", ".join(str(place.absolute()) for place in places)
    raise ConfigurationError(
        [Fault(looked, "there is no configuration", "Write one with `itopsync init`, or name it with --config.")]
    )


def parse(path: Path) -> dict[str, Any]:
    """Parse *path* as TOML. :raises ConfigurationError: it cannot be read or parsed; it names line and column."""
    try:
        with path.open("rb") as file:
            contents = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error), "Check the path and who may read it.") from None
    if len(contents) > LONGEST_FILE:
        raise _unreadable(path, f"it is longer than {LONGEST_FILE:,} bytes", "Check that this is the right file.")
    try:
        text = contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _place(contents[: error.start].decode("utf-8-sig", "replace"))
        raise _malformed(path, line, column, "this is not UTF-8", "Save the file as UTF-8.") from None
    return _parse_toml(path, text)


def check(root: type[S], table: dict[str, Any], surroundings: Surroundings, faults: Faults, *, look_outside: bool = True) -> S:
    """Validate *table* table by table as a *root*, removing wrong keys, and return what is left.

    Unless it may *look outside*, no other file is read: no secret, and no certificate.
    """
    while True:
        try:
            file = root.model_validate(table, context=surroundings if look_outside else None)
        except ValidationError as error:
            details = [(detail, _place_in(table, detail)) for detail in error.errors()]
            for detail, place in details:
                _report(root, detail, place, table, faults)
            for place in sorted({place for _, place in details}, key=_from_the_end):
                _take_out(table, place)
        else:
            _report_lacking(file, surroundings, faults)
            return file


def _report(root: type[Section], detail: ErrorDetails, place: Sequence[int | str], table: dict[str, Any], faults: Faults) -> None:
    key = ".".join(map(str, place))
    wrong = detail.get("ctx", {}).get("error")
    explained = _EXPLAINED.get(re.sub(r"^hooks\.alerts\.\w+\.", "hooks.alerts.<name>.", key))
    if explained:
        faults.add(key, *explained)
    elif isinstance(wrong, Wrong):
        faults.add(key, wrong.what, wrong.remedy)
        if wrong.beside:
            faults.excuse(".".join(map(str, (*place[:-1], wrong.beside))))
    elif detail["type"] == "extra_forbidden":
        faults.add(key, "there is no such key", _suggestion(root, place))
    elif detail["loc"][-1] == "[key]":
        faults.add(key, "this cannot be a name in iTop", "Use letters, digits and underscores")
    else:
        message = _EXPECTED.get(detail["type"]) or detail["msg"]
        remedy = message.removeprefix("Value error, ").replace("Input should be", "it must be")
        shown = "this" if _MAY_BE_SECRET.search(key) else clip(_shown(table, place), 60)
        faults.add(key, f"{shown} is not valid", remedy[:1].upper() + remedy[1:])


def _report_lacking(file: Section, surroundings: Surroundings, faults: Faults) -> None:
    for place, section in _sections(file, ""):
        for keys, remedy in section.lacking():
            if not any(faults.known(f"{place}{key}") for key in keys):
                today = f"{surroundings.now:%Y-%m-%d}"
                faults.add(f"{place}{keys[0]}", "it is missing", remedy.replace("{today}", today))


def _sections(section: Section, place: str) -> Iterator[tuple[str, Section]]:
    """All tables except those in lists, each with its place and a dot."""
    yield place, section
    for name in type(section).model_fields:
        inner = getattr(section, name)
        named = {f"{name}.{key}": table for key, table in inner.items()} if isinstance(inner, Mapping) else {name: inner}
        for key, table in named.items():
            if isinstance(table, Section):
                yield from _sections(table, f"{place}{key}.")


def _place_in(table: dict[str, Any], detail: ErrorDetails) -> tuple[int | str, ...]:
    """The steps of pydantic's location that exist in the file; the others name alternatives of a type."""
    wrong = detail.get("ctx", {}).get("error")
    place: list[int | str] = []
    here: Any = table
    for step in (*detail["loc"], *([wrong.key] if isinstance(wrong, Wrong) and wrong.key else ())):
        if _has(here, step):
            place.append(step)
            here = here[step]
    return tuple(place)


def _has(container: object, step: int | str) -> bool:
    if isinstance(container, list):
        return isinstance(step, int) and step < len(container)
    return isinstance(container, dict) and step in container and step != "[key]"


def _take_out(table: dict[str, Any], place: Sequence[int | str]) -> None:
    del _at(table, place[:-1])[place[-1]]


def _at(table: dict[str, Any], place: Sequence[int | str]) -> Any:
    here: Any = table
    for step in place:
        here = here[step]
    return here


def _from_the_end(place: tuple[int | str, ...]) -> tuple[int, list[tuple[int, str]]]:
    # Remove deeper keys first, and later list items before earlier ones, so that no place moves before its turn.
    return -len(place), [(-step, "") if isinstance(step, int) else (0, step) for step in place]


def _suggestion(root: type[Section], place: Sequence[int | str]) -> str:
    section, name = section_at(root, place[:-1]), str(place[-1])
    known = list(section.model_fields) if section else []
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    tables = [table for table, field in root.model_fields.items() if _has_key(section_in(field.annotation), name)]
    if tables:
        return f"Does it belong to [{'] or ['.join(tables)}]?"
    return f"Remove it; there are: {', '.join(known)}" if known else "Remove it"


def _has_key(section: type[Section] | None, name: str) -> bool:
    return section is not None and name in section.model_fields


def _shown(table: dict[str, Any], place: Sequence[int | str]) -> str:
    here = _at(table, place)
    return "true" if here is True else "false" if here is False else repr(here) if isinstance(here, str | int | float) else "this"


def _is_there(place: Path) -> bool:
    try:
        return place.is_file()
    except OSError:  # a name that the file system rejects, or a folder that we may not read
        return False


def _parse_toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, line, column = _parts(str(error), text)
        raise _malformed(path, line, column, what, "Fix that line; what follows it was not read.") from None
    except RecursionError:
        raise _unreadable(path, "lists or tables are nested too deeply", "Check that this is the right file.") from None
    except ValueError as error:  # Python rejects numbers of more than 4,300 digits
        raise _unreadable(path, clip(str(error)), "Fix that value.") from None


def _parts(message: str, text: str) -> tuple[str, int, int]:
    """Split a message of tomllib into what is wrong, line and column."""
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if found:
        return found[1], int(found[2]), int(found[3])
    return message.removesuffix(" (at end of document)"), *_place(text)


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _malformed(path: Path, line: int, column: int, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError([Fault(f"{path}: line {line}, column {column}", f"malformed TOML: {clip(what)}", remedy)])


def _unreadable(path: Path, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError([Fault(str(path), f"cannot be read: {what}", remedy)])
