"""Logging: for people on a terminal, one JSON object per line elsewhere. Never a ticket's text, never a secret.

Under systemd, each line begins with its priority (``<4>`` is a warning), which the journal strips and records: ``journalctl -p
warning`` finds what needs attention. docs/reference/log-events.md explains each event and what to do about it.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from itopsync.errors import ItopsyncError, clip

PATIENCE = 1
"""Seconds that a line waits for a slow reader."""
LONGEST = 1_000
"""The maximum length of a field in characters. Only a traceback may be longer."""

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Syslog's priorities, as in ``sd-daemon(3)``."""
_FIRST = ("timestamp", "level", "event")
_ALWAYS: dict[str, str] = {}
_EXCEPTION = "exception"
_AS_THEY_ARE = (_EXCEPTION, "_record", "_from_structlog")


def configure(
    level: str = "info", *, stream: TextIO | None = None, json_lines: bool | None = None, journal: bool | None = None
) -> None:
    """Send structlog's events of at least *level*, and the warnings of libraries, to *stream* (default: stderr).

    *json_lines*: None means unless the stream is a terminal; *journal*: None means if the stream leads to systemd's journal.
    """
    target = stream or sys.stderr
    as_json = not target.isatty() if json_lines is None else json_lines
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_always,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _fail_safely,
        _show_safely,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    if leads_to_journal(target) if journal is None else journal:
        renderer = _Prioritised(renderer)
    outlet = cast("TextIO", _Outlet(target))
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(outlet),
        cache_logger_on_first_use=False,
    )
    _take_in_libraries(outlet, shared, renderer)


def always(**fields: str) -> None:
    """Add *fields* to every event of this process, whichever thread logs it."""
    _ALWAYS.update(fields)


def are_of_one_of_several() -> bool:
    """Whether this process runs one of several pairs, which its events name and plain lines would not."""
    return bool(_ALWAYS)


def leads_to_journal(stream: TextIO) -> bool:
    """Whether systemd has connected *stream* to its journal, according to ``JOURNAL_STREAM``."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return (str(found.st_dev), str(found.st_ino)) == (device, inode)


def priority(level: str, stream: TextIO) -> str:
    """The prefix of a line of *level* on *stream*; empty unless *stream* leads to the journal."""
    return f"<{_PRIORITIES[level]}>" if leads_to_journal(stream) else ""


def traceback_of(error: BaseException) -> str:
    """The traceback of *error* and of what led to it, without the messages of foreign errors, which may quote their input.

    Our own errors keep theirs: they are meant to be shown.
    """
    return "\n".join(_tell(error, set()))


def _tell(error: BaseException, told: set[int]) -> Iterator[str]:
    told.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in told:
        yield from _tell(before, told)
        yield "which led to:"
    yield "Traceback (most recent call last):"
    yield from "".join(traceback.format_tb(error.__traceback__)).splitlines()
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    yield f"{name}: {clip(str(error), LONGEST)}" if isinstance(error, ItopsyncError) else name


def _add_always(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    return {**_ALWAYS, **event}


class _Outlet:
    """A stream that drops what it cannot write, to a full disk or a pipe that nobody reads: logging must not stop work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._patience, self._blocks = stream, PATIENCE, False
        self._waiting = select.poll()
        with suppress(OSError, ValueError, AttributeError):  # a stream in memory always takes what is written
            self._waiting.register(stream.fileno(), select.POLLOUT)
            self._blocks = True

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            if self._takes():
                self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def _takes(self) -> bool:
        """Whether there is room. Waits for a slow reader, but only once until it has read again."""
        there_is = not self._blocks or bool(self._waiting.poll(self._patience * 1_000))
        self._patience = PATIENCE if there_is else 0
        return there_is


class _Prioritised:
    """A renderer that begins each line with its priority, for the journal."""

    def __init__(self, renderer: Processor) -> None:
        self._renderer = renderer

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> str:
        priority = f"<{_PRIORITIES[event['level']]}>"
        return "\n".join(f"{priority}{line}" for line in str(self._renderer(logger, name, event)).splitlines())


def _fail_safely(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Replace an exception with its traceback."""
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else sys.exception() if info else None
    if error is not None:
        event[_EXCEPTION] = traceback_of(error)
    return event


def _show_safely(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Shorten long fields, remove terminal control characters, and put first what readers look for first."""
    shown = {name: value if name in _AS_THEY_ARE else _plain(value) for name, value in event.items()}
    return {name: shown[name] for name in (*_FIRST, *shown) if name in shown}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return clip("".join(char if char.isprintable() else " " for char in str(value)), LONGEST)


def _take_in_libraries(target: TextIO, shared: list[Processor], renderer: Processor) -> None:
    """Format what libraries log through Python's own ``logging`` like our events, from WARNING on."""

    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(target)
    handler.set_name("itopsync")
    handler.setLevel(logging.WARNING)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_as_event, *shared[1:2], *shared[3:]], processors=[strip, renderer]
        )
    )
    root = logging.getLogger()
    for other in [each for each in root.handlers if each.get_name() == "itopsync"]:
        root.removeHandler(other)
    root.addHandler(handler)
    # httpx logs the address of every request at INFO; itopsync logs its calls itself, without addresses
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _as_event(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """A library's log record as one of our events."""
    record: logging.LogRecord = event["_record"]
    level = record.levelname.lower()
    told = {"event": "library", "logger": record.name, "message": event["event"], "exc_info": record.exc_info}
    return {**event, **told, "level": level if level in _PRIORITIES else "warning"}
