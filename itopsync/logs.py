"""Logs: for people on a terminal, one JSON object a line elsewhere. Never a ticket's text, never a secret."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog


def configure(level: str = "info", *, stream: TextIO | None = None, json_lines: bool | None = None) -> None:
    """Send structlog's events to *stream* (stderr) from *level* on.

    *json_lines*: None chooses by whether the stream is a terminal.
    """
    target = stream or sys.stderr
    as_json = not target.isatty() if json_lines is None else json_lines
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=target.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    # httpx tells every request's address at INFO; ours are told by itopsync itself, without addresses
    logging.getLogger("httpx").setLevel(logging.WARNING)
