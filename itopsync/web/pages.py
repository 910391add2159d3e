"""Renders values as HTML in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from itopsync import __version__
from itopsync.errors import StoreError
from itopsync.web import runbook, words
from itopsync.web.access import User
from itopsync.web.pairs import Watched

LANGUAGE = "itopsync-language"
"""The cookie that remembers the chosen language."""
A_YEAR = 365 * 86_400
NOBODY = User("", operates=False)


@dataclass(frozen=True)
class Pages:
    """All pages, and what they have in common."""

    pairs: Sequence[str]
    clock: Callable[[], datetime]
    templates: jinja2.Environment | None = None
    """None for the console's own."""

    def show(self, request: Request, name: str, values: Mapping[str, Any] | None = None, status: int = 200) -> Response:
        """A page, or only the requested part of it."""
        chosen = request.query_params.get("lang")
        language = words.best(chosen or request.cookies.get(LANGUAGE), request.headers.get("accept-language", ""))
        translate = words.translator(language)
        now = self.clock()
        shared = {
            "_": translate,
            "user": getattr(request.state, "user", NOBODY),
            "known": hasattr(request.state, "user"),
            "language": language,
            "here": request.url.path,
            "query": {name: value for name, value in request.query_params.items() if name != "lang"},
            "pairs": self.pairs,
            "pair": None,
            "asked": None,
            "at_work": False,
            "now": now,
            "version": __version__,
            "when": _when,
            "number": lambda value: _number(value, language),
            "runbook": runbook.remedy,
            "span": lambda time: _span(time, translate),
            "nobody": cache(lambda pair: _nobody(pair, now)),
            "ago": lambda then: translate("{span} ago", span=_span(now - then, translate)),
        }
        html = (self.templates or ENVIRONMENT).get_template(name).render({**shared, **(values or {})})
        response = HTMLResponse(html, status, {"Content-Language": language, "Vary": "Accept-Language, Cookie"})
        if chosen == language:
            secure = request.url.scheme == "https"
            response.set_cookie(LANGUAGE, language, max_age=A_YEAR, httponly=True, samesite="lax", secure=secure)
        return response


@dataclass(frozen=True)
class Nobody:
    """No process carries anything for a pair."""

    since: datetime | None
    """When its last cycle ended; None if there was none."""


def _nobody(pair: Watched, now: datetime) -> Nobody | None:
    """Whether no process runs a pair's cycles, nor has within the time that a timer waits between them.

    None also if its store cannot be read, which the page reports.
    """
    try:
        store = pair.store()
        held, last = store.lease.current(), next(iter(store.history.cycles(1)), None)
    except StoreError:
        return None
    since = None if last is None else last.finished or last.started
    if (held is not None and held.until > now) or (since is not None and abs(now - since) <= pair.most_lag):
        return None
    return Nobody(since)


def _number(value: float, language: str) -> str:
    """``12,345``, or ``0.3`` for a fraction; in Indonesian ``12.345`` and ``0,3``."""
    shown = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
    return shown.translate(_INDONESIAN_SIGNS) if language == "id" else shown


_INDONESIAN_SIGNS = str.maketrans(",.", ".,")


def _code(text: str) -> Markup:
    """A message, with text between backticks shown as code."""
    parts = str(text).split("`")
    return Markup().join(Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts))


def _when(at: datetime, *, short: bool = False) -> Markup:
    """A time for people and for machines, in UTC as in all our logs."""
    utc = at.astimezone(UTC)
    shown = f"{utc:%H:%M:%S}" if short else f"{utc:%Y-%m-%d %H:%M:%S}"
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(timespec="seconds"), shown)


def _span(time: timedelta, translate: words.Translator) -> str:
    """``42 s``, ``5 min``, ``3 h``, ``2 d``."""
    seconds = max(0, int(time.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {translate(unit)}"
    return f"{seconds} {translate('s')}"


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("itopsync.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters["code"] = _code
