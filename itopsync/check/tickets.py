"""The ticket classes of one server: compares the configuration with what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from itopsync.check.finding import Finding, fault, message_and_remedy, ok, refusal, warning
from itopsync.engine.scope import scope_of, since
from itopsync.errors import BadQuery, RemoteError
from itopsync.itop import oql
from itopsync.itop.attributes import Attributes
from itopsync.itop.dates import DateFormatWrong
from itopsync.itop.inquiry import NO_CLASS
from itopsync.itop.rows import Rows
from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile.moments import is_date
from itopsync.reconcile.rules import ClassRules, Kind, Lifecycle, Rules

_NO_ATTRIBUTE = re.compile(r"invalid attribute code '(\w+)'")
_PUBLIC_LOG = "public_log"
_SAMPLE = 50


def check_class(server: Server, cls: ClassRules, *, dates_read: bool) -> Iterator[Finding]:
    """Check that the class and each configured attribute exist and can be read, and look for states that are not configured."""
    side, name = server.side, cls.of(server.side)
    wanted = Attributes.of(cls, side)
    names = dict.fromkeys((*wanted.names, *(cls.on_create if side is Side.INTERNAL else ())))
    try:
        rows, missing = _read_one(server, name, tuple(names))
    except BadQuery as error:
        if NO_CLASS not in str(error):
            raise
        remedy = f"Remove [classes.{cls.external}], or name the corresponding class in its key internal."
        yield fault(side, f"there is no class {name}", remedy)
        return
    if missing:
        remedy = f"Check [classes.{cls.external}]: this server's {name} is not the one that iTop ships."
        yield fault(side, f"{name} has no attribute {', '.join(missing)}", remedy)
        return
    if dates_read and rows.rows and (wrong := _no_dates(server, name, wanted)) is not None:
        yield refusal(wrong, name, f"Check the kinds of attributes in [classes.{cls.external}.attributes].")
        return
    yield ok(side, f"{name}: {rows.found} tickets seen, with every configured attribute")
    yield from _check_states(server, cls, wanted.state)


def _no_dates(server: Server, name: str, wanted: Attributes) -> RemoteError | None:
    """Why an attribute configured as a date is not one, if most of a sample's values are odd: people enter few odd dates.

    :raises Refused: no ticket of the sample can be read
    """
    sample = [row.id for row in server.get(name, f"SELECT {oql.name(name)}", ("id",), limit=_SAMPLE).rows]
    tickets, unreadable = server.readable_tickets(name, sample, wanted)
    if unreadable and not tickets:
        raise next(iter(unreadable.values()))
    for attribute in (code for code, kind in wanted.fields.items() if kind is Kind.DATE):
        values = [value for ticket in tickets.values() if (value := ticket.fields[attribute])]
        odd = [value for value in values if not is_date(value)]
        if odd and len(odd) * 2 > len(values):
            try:
                server.clock.read(attribute, odd[0])
            except DateFormatWrong as error:
                return error
    return None


def _read_one(server: Server, name: str, names: Sequence[str]) -> tuple[Rows, list[str]]:
    """One ticket, and the attributes that the class lacks, which iTop names one at a time."""
    missing: list[str] = []
    while True:
        present = [attribute for attribute in names if attribute not in missing]
        try:
            return server.get(name, f"SELECT {oql.name(name)}", present, limit=1), missing
        except BadQuery as error:
            found = _NO_ATTRIBUTE.search(str(error))
            if found is None or found[1] in missing:
                raise
            missing.append(found[1])


def _check_states(server: Server, cls: ClassRules, attribute: str) -> Iterator[Finding]:
    side, name = server.side, cls.of(server.side)
    known = ", ".join(oql.literal(state) for state in sorted(_states(cls.state.of(side))))
    query = f"SELECT {oql.name(name)} WHERE {oql.name(attribute)} NOT IN ({known})"
    rows = server.get(name, query, (attribute,), limit=_SAMPLE)
    states = sorted({str(row.fields[attribute]) for row in rows.rows})
    if states:
        yield warning(
            side,
            f"{name}: {rows.found} tickets are in states that the configuration does not know ({', '.join(states)})",
            f"Describe them in [classes.{cls.external}.lifecycle.{side}]; until then the states of such tickets are not carried.",
        )


def _states(lifecycle: Lifecycle) -> set[str]:
    targets = {state for stimuli in lifecycle.transitions.values() for state in stimuli.values()}
    return {lifecycle.initial, *lifecycle.transitions, *targets}


def check_public_log(server: Server, cls: ClassRules) -> Iterator[Finding]:
    """Look for entries in a public log that is not paired; each begins with a line of equals signs."""
    name = cls.of(server.side)
    if _PUBLIC_LOG in {log.of(server.side) for log in cls.logs}:
        return
    try:
        count = server.count(name, f"SELECT {oql.name(name)} WHERE {_PUBLIC_LOG} LIKE '%=====%'")
    except BadQuery:  # a class without one
        return
    if count:
        yield warning(
            server.side,
            f"{name}: {count} tickets have entries in their public log, which is not paired",
            f"If people on the other side should read them, pair it: [[classes.{cls.external}.logs]], or [[logs]] for all.",
        )


def check_scope(server: Server, rules: Rules, usable: Sequence[ClassRules]) -> Iterator[Finding]:
    """Count the tickets that a first run would copy."""
    if not rules.new_tickets:
        yield ok(server.side, "no new tickets are copied (rules.new_tickets)")
        return
    counts: dict[str, int] = {}
    for cls in usable:
        try:
            query = f"SELECT {oql.name(cls.external)} AS this WHERE {scope_of(rules, cls)}"
            counts[cls.external] = server.count(cls.external, query)
        except BadQuery as error:
            what, _ = message_and_remedy(error)
            remedy = f"Fix the OQL of scope.condition or classes.{cls.external}.scope."
            yield fault(server.side, f"scope of {cls.external}: {what}", remedy)
    total, limit = sum(counts.values()), rules.limits.creations
    by_class = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    whole = f"{total} tickets are in scope since {since(rules):%Y-%m-%d %H:%M}{f' ({by_class})' if by_class else ''}"
    if total > limit:
        yield warning(
            server.side,
            f"{whole}, and a cycle that would create more than {limit} copies stops (limits.creations)",
            "Set scope.since later, or accept the stopped first run with `itopsync accept creations`.",
        )
    elif counts:
        yield ok(server.side, f"{whole}: each that is not linked yet gets a copy")
