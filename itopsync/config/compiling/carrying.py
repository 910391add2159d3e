"""What is the same for every class: scope, headers, limits, and when what runs."""

from __future__ import annotations

import string
from collections.abc import Collection
from datetime import timedelta
from zoneinfo import ZoneInfo

from itopsync.config.compiling.context import Context, listed, meant_or
from itopsync.config.compiling.servers import has_seconds
from itopsync.config.configuration import Schedule
from itopsync.config.quantities import to_utc, write_duration
from itopsync.config.shape import EngineSection, HeadersSection, LimitsSection, ScheduleSection, ScopeSection, SyncFile
from itopsync.engine.settings import EngineSettings
from itopsync.errors import clip
from itopsync.itop.settings import ServerSettings
from itopsync.model import Side
from itopsync.reconcile.rules import Direction, Headers, Limits

LOG_INDEX_BYTES = 65_535
"""What the index of a case log holds."""
_HEADER_PLACES = ("side", "number", "author", "time")
_SHORTEST_LEASE = timedelta(seconds=10)


def compile_since(section: ScopeSection, timezone: ZoneInfo, context: Context) -> str:
    """Return ``scope.since`` in UTC, as ISO 8601."""
    if section.since is None:
        remedy = f"Write since = {context.now:%Y-%m-%d}, or a day before: external tickets that began earlier are not taken up"
        context.missing("scope.since", remedy)
        return ""
    since = to_utc(section.since, timezone)
    if since > context.now:
        context.faults.add(
            "scope.since", "it is in the future: no ticket would be taken up", f"Write {context.now:%Y-%m-%d}, or earlier"
        )
    return since.isoformat(timespec="seconds")


def compile_condition(conditions: Collection[tuple[str, str]], context: Context) -> str:
    """Join OQL conditions, each with its key, to one that asks for all of them."""
    for key, condition in conditions:
        _check_condition(condition, key, context)
    given = [condition for _, condition in conditions if condition]
    return given[0] if len(given) == 1 else " AND ".join(f"({condition})" for condition in given)


def compile_headers(section: HeadersSection, context: Context) -> Headers:
    """Check the templates."""
    for name, places in (
        ("to_internal", _HEADER_PLACES),
        ("to_external", _HEADER_PLACES),
        ("copied", ("side", "number", "time")),
    ):
        check_template(getattr(section, name), places, f"headers.{name}", context)
    if not section.time_format.isprintable():
        context.faults.add("headers.time_format", "it is no format of a time", 'Write it like "%Y-%m-%d %H:%M"')
    return Headers(section.to_internal, section.to_external, section.copied, section.time_format)


def check_template(template: str, places: Collection[str], key: str, context: Context) -> None:
    """Check that *template* can be filled in, from *places* alone."""
    told = listed(f"{{{place}}}" for place in places)
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        context.faults.add(key, "a brace stands alone", f"There are {told}; a brace itself is written twice")
        return
    for _, place, form, conversion in parts:
        if place is None:
            continue
        if place not in places:
            remedy = meant_or(place, places, f"There are {told}; a brace itself is written twice")
            context.faults.add(key, f"nothing is known that would fill {clip(f'{{{place}}}', 40)}", remedy)
        elif form or conversion:
            context.faults.add(key, f"{{{place}}} takes no format", f"Write {{{place}}} alone")


def compile_limits(section: LimitsSection, context: Context) -> Limits:
    """Check the limits among themselves."""
    if section.log_index > LOG_INDEX_BYTES:
        context.faults.add(
            "limits.log_index", "the index of a case log does not hold that many bytes", f"Write at most {LOG_INDEX_BYTES}"
        )
    return Limits(
        section.creations,
        section.deletions,
        section.rewritten,
        section.missing,
        section.tries,
        section.rewrites,
        section.file_size,
        section.log_index,
        section.settle,
    )


def compile_engine(
    section: EngineSection, poll: timedelta | str, sides: Collection[ServerSettings], context: Context
) -> EngineSettings:
    """Check how the work goes about. A cycle that takes longer than from one *poll* to the next polls meanwhile."""
    for settings in sides:
        if section.look_again <= timedelta(minutes=1) and not has_seconds(settings.date_format):
            what = f"the dates of {settings.side} have no seconds, so a second change within a minute looks like the first"
            context.faults.add("engine.look_again", what, "Make it longer than a minute")
    for name in ("overlap", "pause", "first_back_off"):
        if getattr(section, name) < timedelta(seconds=1):
            context.faults.add(f"engine.{name}", "that is no time at all", 'Write at least "1s"')
    if section.longest_back_off < section.first_back_off:
        context.faults.add(
            "engine.longest_back_off", "it is shorter than first_back_off", "Make it longer, or first_back_off shorter"
        )
    return EngineSettings(
        section.overlap,
        section.look_again,
        section.lookback,
        section.pause,
        section.first_back_off,
        section.longest_back_off,
        deep=section.deep,
        workers=section.workers,
        file_budget=section.file_budget,
        look_meanwhile=poll if isinstance(poll, timedelta) else EngineSettings.look_meanwhile,
    )


def compile_schedule(section: ScheduleSection, context: Context) -> Schedule:
    """Check when what runs."""
    for name, when in (("poll", section.poll), ("sweep", section.sweep)):
        if isinstance(when, str):
            from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - few write a cron expression

            if CronTrigger.from_crontab(when, timezone="UTC").get_next_fire_time(None, context.now) is None:
                context.faults.add(f"schedule.{name}", "such a day never comes", 'Write it like "*/5 * * * *"')
        elif when < timedelta(seconds=1):
            context.faults.add(f"schedule.{name}", "that is no time at all", 'Write at least "1s"')
    if isinstance(section.poll, timedelta) and section.jitter >= section.poll >= timedelta(seconds=1):
        remedy = f"Make it shorter than poll, which is {write_duration(section.poll)}"
        context.faults.add("schedule.jitter", "it is not shorter than poll", remedy)
    return Schedule(section.poll, section.sweep, section.jitter, _poll_quiet(section, context))


def _poll_quiet(section: ScheduleSection, context: Context) -> timedelta:
    given = "poll_quiet" in section.model_fields_set
    if isinstance(section.poll, str):
        if given:
            what = "poll is a cron expression, which holds at all times"
            context.faults.add("schedule.poll_quiet", what, "Remove it, or write poll as a duration")
        return section.poll_quiet
    if given and section.poll_quiet < section.poll:
        remedy = f"Make it at least as long as poll, which is {write_duration(section.poll)}"
        context.faults.add("schedule.poll_quiet", "it is shorter than poll", remedy)
    return max(section.poll, section.poll_quiet)


def check_lease(lease: timedelta, context: Context) -> None:
    """A lease too short to be renewed in time would stop us ourselves."""
    if lease < _SHORTEST_LEASE:
        context.faults.add(
            "store.lease", "it could run out before it is renewed", f"Write at least {write_duration(_SHORTEST_LEASE)}"
        )


def check_directions(file: SyncFile, context: Context) -> None:
    """New tickets go one way only, and directions are for classes that are synced."""
    if file.rules.new_tickets.allows(Side.INTERNAL):
        what = "an internal ticket never makes an external one"
        context.faults.add("rules.new_tickets", what, f'Write "{Direction.TO_INTERNAL}" or "{Direction.NEVER}"')
    for name in file.rules.classes:
        if name not in file.classes:
            remedy = meant_or(name, file.classes, f"Add [classes.{name}], or remove this")
            context.faults.add(f"rules.classes.{name}", f"{name} is not synced", remedy)


def _check_condition(condition: str, key: str, context: Context) -> None:
    if condition.upper().startswith(("SELECT ", "WHERE ")):
        what = "it is a whole query, and a condition is asked for"
        context.faults.add(key, what, 'Write what would follow WHERE, with `this` for the ticket: "this.org_id = 3"')
    elif not _is_closed(condition):
        context.faults.add(key, "a bracket or a quote is not closed", "Close it")


def _is_closed(condition: str) -> bool:
    """Whether every bracket and quote of an OQL condition is closed, so that it can stand between brackets itself."""
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
