"""The page *Configuration* of the reference, written from the shape and from the catalogue.

``python -m itopsync.config.reference > docs/reference/configuration.md`` writes it anew.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from itopsync.config.catalogue import TicketClass, classes
from itopsync.config.shape import SyncFile
from itopsync.config.shape.base import Section, holds_many, read_meanings, section_in
from itopsync.config.wording import default_of, is_required, type_of

WIDTH = 120

_INTRODUCTION = """\
# Configuration

itopsync reads one file in [TOML](https://toml.io): what `--config` or `ITOPSYNC_CONFIG` names, else `sync.toml` in the
folder where it is started, else `/etc/itopsync/sync.toml`. `itopsync init` writes one in which every key is explained.

All faults are told at once, each on a line with file, key, what is wrong and what to do; the exit code is then 3. A key
that is not listed here is a fault. Nothing is read from or written to either server before the file is right.

How values are written
: A **duration** has its unit, `"500ms"`, `"90s"`, `"70m"`, `"6h"` or `"7d"`, or several: `"1h 30m"`. A **size** likewise:
  `"20MB"`, `"60kB"`, `"64MiB"`. A **date** is TOML's own, `2026-01-31` or `2026-01-31T08:00:00+01:00`, or the same as a
  text. A **name** of a class, an attribute, a state or a stimulus is iTop's internal one: `UserRequest`, not *User
  request*.

Passwords
: They never stand in the file. Each server, and the store if it needs one, names its password by exactly one of
  `password_file`, `password_env` and `password_credential`.

Relative paths
: begin at the folder of `sync.toml`.

The least that a file takes:

```toml
pair = "acme"

[external]
url = "https://customers.example.com/itop"
username = "itopsync"
password_credential = "external"
timezone = "Europe/Paris"

[internal]
url = "https://desk.example.com/itop"
username = "itopsync"
password_credential = "internal"
timezone = "Europe/Paris"

[internal.defaults]
org_id = { name = "Acme" }
caller_id = { email = "customers@example.com" }

[scope]
since = 2026-01-01

[classes.UserRequest]
```
"""
_CATALOGUE = """\
## iTop's own classes

What a class does that is named without any key of its own, read out of the data model of iTop 3.2. Of the form and of
what travels with a state, a copy in another class takes what that class has under the same name and in the same kind.

On a server with iTop's simple module for user requests a new UserRequest demands `request_type` too: add it to `form`, or
give it a value in `internal.defaults`.
"""


def reference() -> str:
    """Return the text of the page."""
    read_meanings(SyncFile)
    parts = [
        _INTRODUCTION,
        "## At the top",
        *_keys(SyncFile),
        *_tables(SyncFile, ""),
        _CATALOGUE,
        *map(_class, classes().values()),
    ]
    return "\n".join(part if part.endswith("\n") else f"{part}\n" for part in parts).rstrip("\n") + "\n"


def _tables(section: type[Section], place: str) -> Iterator[str]:
    told: set[type[Section]] = set()
    for field in section.model_fields.values():
        inner = section_in(field.annotation)
        if inner is None or inner in told:
            continue
        told.add(inner)
        twins = [other for other, one in section.model_fields.items() if section_in(one.annotation) is inner]
        heads = [_head(_below(place, twin), field) for twin in twins]
        if keys := tuple(_keys(inner)):
            yield f"## {' and '.join(f'`{head}`' for head in heads)}"
            yield _wrapped(" ".join(section.model_fields[twin].description or "" for twin in twins))
            yield from keys
        below = heads[0].strip("[]") if len(twins) == 1 else f"{place}.<side>".lstrip(".")
        yield from _tables(inner, below)


def _head(place: str, field: FieldInfo) -> str:
    """How the head of a table is written."""
    if not holds_many(field.annotation):
        return f"[{place}]"
    return f"[[{place}]]" if "tuple" in str(field.annotation) else f"[{place}.<name>]"


def _keys(section: type[Section]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if section_in(field.annotation) is None:
            yield f"`{name}` ({'; '.join(_facts(field))})\n{_wrapped(field.description or '', ': ')}"


def _facts(field: FieldInfo) -> Iterator[str]:
    yield type_of(field)
    default = default_of(field)
    if is_required(field):
        yield "**required**"
    elif default not in (None, '""', "{}"):
        yield f"default `{default}`"


def _class(cls: TicketClass) -> str:
    lines = [f"### {cls.name}", "", "| what | by default |", "| --- | --- |"]
    lines += [f"| the form | {_names(cls.form)} |", f"| `since` compares | `{cls.since_attribute}` |"]
    lines += [f"| travels with `{state}` | {_names(names)} |" for state, names in cls.companions.items()]
    lines += [f"| left out | `{state}`, which counts as `{before}` |" for state, before in cls.left_out.items()]
    if cls.lifecycle.decisions:
        lines.append(f"| only a person decides on | {_names(sorted(cls.lifecycle.decisions))} |")
    lines.append(f"| a new copy takes from `internal.defaults` | {_names(sorted(cls.keys))}, and any attribute that it has |")
    return "\n".join(lines)


def _names(names: Iterator[str] | tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _wrapped(text: str, before: str = "") -> str:
    """Text in lines, the later ones indented as far as *before* reaches."""
    line = " ".join(text.split())
    after = " " * len(before)
    return textwrap.fill(
        line, WIDTH, initial_indent=before, subsequent_indent=after, break_long_words=False, break_on_hyphens=False
    )


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


if __name__ == "__main__":
    print(reference(), end="")
