"""One side's defaults: each names exactly one object, and they fit together as iTop's forms require."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from itopsync.check.finding import Finding, fault, ok, refusal, warning
from itopsync.errors import AccessRefused, BadQuery
from itopsync.itop.objects import is_a, key_of, target_of
from itopsync.itop.rows import Row
from itopsync.itop.server import Server
from itopsync.reconcile.defaults import shown
from itopsync.reconcile.rules import Rules


@dataclass(frozen=True)
class Fit:
    """Two values that iTop's forms offer together only if an object has both."""

    name: str
    within: str
    cls: str
    mine: str
    """The attribute of *cls* that has the id of *name*."""
    its: str
    """The one that has the id of *within*."""
    wrong: str
    """The fault if there is no such object, phrased to fit between *name* and *within*."""


def _member(person: str, team: str) -> Fit:
    return Fit(person, team, "lnkPersonToTeam", "person_id", "team_id", "is not a member of")


FITS = (
    _member("agent_id", "team_id"),
    _member("supervisor_id", "supervisor_group_id"),
    _member("manager_id", "manager_group_id"),
    Fit("caller_id", "org_id", "Person", "id", "org_id", "does not belong to"),
    Fit("servicesubcategory_id", "service_id", "ServiceSubcategory", "id", "service_id", "does not belong to"),
)
"""The filters of these keys in the data model of iTop 3.2.0, which its REST services do not apply."""


def check_defaults(server: Server, rules: Rules) -> Iterator[Finding]:
    """Look up every default that is a key, then check that those found fit together."""
    side, defaults = server.side, rules.of(server.side).defaults
    classes = tuple(dict.fromkeys(cls.of(side) for cls in rules.classes))
    found: dict[str, int] = {}
    for name, value in sorted(defaults.items()):
        key = f"{side}.defaults.{name}"
        target = target_of(server, classes, name)
        if target is None:
            yield ok(side, f"{key} is not a key of a synced class here: its value is not looked up")
        elif value in (0, "0"):
            yield ok(side, f"{key} is {value}: deliberately nobody")
        else:
            row, finding = _look_up(server, key, target, value)
            yield finding
            if row is not None:
                found[name] = row.id
    for fit in FITS:
        if fit.name in found and fit.within in found:
            yield from _check_fit(server, fit, found)


def _look_up(server: Server, key: str, target: str, value: object) -> tuple[Row | None, Finding]:
    """The one object that a default names; iTop refuses a write if there is none or more than one."""
    side = server.side
    try:
        rows = server.get(target, key_of(target, value), ("id", "friendlyname")).rows
        if len(rows) == 1 and not is_a(server, target, rows[0]):
            what = f"{key} finds {rows[0].cls} {rows[0].id}, which is not a {target}"
            return None, fault(side, what, f"Name a {target}.")
    except BadQuery as error:
        return None, refusal(error, key, "Fix the query or the criterion.")
    except AccessRefused as error:
        return None, refusal(error, key)
    if len(rows) == 1:
        return rows[0], ok(side, f"{key} is {rows[0].cls} {rows[0].id}, {rows[0].fields['friendlyname']}")
    what = f"{key} finds no {target}" if not rows else f"{key} finds {len(rows)} objects of {target}, not one"
    return None, fault(side, f"{what} ({shown(value)})", "Name one that exists and that the account may see.")


def _check_fit(server: Server, fit: Fit, found: Mapping[str, int]) -> Iterator[Finding]:
    try:
        condition = f"{fit.mine} = {found[fit.name]} AND {fit.its} = {found[fit.within]}"
        fits = server.count(fit.cls, f"SELECT {fit.cls} WHERE {condition}") > 0
    except (AccessRefused, BadQuery):  # syncing does not need to read this class
        yield ok(server.side, f"whether {fit.name} fits {fit.within} is not known: the account may not read {fit.cls}")
        return
    if not fits:
        defaults = f"{server.side}.defaults"
        yield warning(
            server.side,
            f"{defaults}.{fit.name} {fit.wrong} {defaults}.{fit.within}: iTop accepts it, but its forms do not offer it",
            "Name one that fits, or fix it in iTop: otherwise whoever edits such a ticket has to choose again.",
        )
