"""One side's defaults: each names exactly one object, and they fit together as iTop wants them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from itopsync.check.finding import Finding, fault, ok, warning
from itopsync.errors import BadQuery
from itopsync.itop import Server, oql
from itopsync.reconcile.rules import Rules

_CLASSES = {
    "org_id": "Organization",
    "team_id": "Team",
    "service_id": "Service",
    "servicesubcategory_id": "ServiceSubcategory",
    "supervisor_group_id": "Team",
    "manager_group_id": "Team",
}
"""What each key is; every other one is a person."""
_TEAMS = {"agent_id": "team_id", "supervisor_id": "supervisor_group_id", "manager_id": "manager_group_id"}
"""Person → the team that the person must be in."""


def check_defaults(server: Server, rules: Rules) -> Iterator[Finding]:
    """Look up every default that is a key, then whether persons are in their teams and subcategories in their services."""
    found: dict[str, int] = {}
    for name, value in sorted(rules.side(server.side).defaults.items()):
        if not name.endswith("_id") or value in (0, "0"):
            continue
        key = f"{server.side}.defaults.{name}"
        cls = _CLASSES.get(name, "Person")
        try:
            rows = server.get(cls, value if isinstance(value, int) else _query(cls, value), ("id", "friendlyname")).rows
        except BadQuery as error:
            yield fault(server.side, f"{key}: {str(error).removeprefix(f'{server.side}: ')}", "Mend the query or the criterion.")
            continue
        if len(rows) == 1:
            found[name] = rows[0].id
            yield ok(server.side, f"{key} is {cls} {found[name]}, {rows[0].fields['friendlyname']}")
        else:
            what = f"{key} finds no {cls}" if not rows else f"{key} finds {len(rows)} objects of {cls}, not one"
            yield fault(server.side, f"{what} ({_shown(value)})", "Name one that is there, and that the account may see.")
    yield from _fit(server, found)


def _fit(server: Server, found: Mapping[str, int]) -> Iterator[Finding]:
    side = server.side
    for person, team in _TEAMS.items():
        if person in found and team in found:
            member = f"SELECT lnkPersonToTeam WHERE person_id = {found[person]} AND team_id = {found[team]}"
            if not server.count("lnkPersonToTeam", member):
                yield fault(
                    side,
                    f"{side}.defaults.{person} is no member of {side}.defaults.{team}, so iTop refuses the two together",
                    "Add the person to the team in iTop, or name another.",
                )
    if "service_id" in found and "servicesubcategory_id" in found:
        within = f"SELECT ServiceSubcategory WHERE id = {found['servicesubcategory_id']} AND service_id = {found['service_id']}"
        if not server.count("ServiceSubcategory", within):
            yield fault(
                side,
                f"{side}.defaults.servicesubcategory_id is not of {side}.defaults.service_id",
                "Name a subcategory of that service.",
            )
    if "org_id" in found and "caller_id" in found:
        employed = f"SELECT Person WHERE id = {found['caller_id']} AND org_id = {found['org_id']}"
        if not server.count("Person", employed):
            yield warning(
                side,
                f"{side}.defaults.caller_id is of another organisation than {side}.defaults.org_id",
                "iTop's own form would not offer that caller; name one of that organisation.",
            )


def _query(cls: str, value: object) -> str:
    if isinstance(value, Mapping):
        return (
            f"SELECT {cls} WHERE {' AND '.join(f'{oql.name(name)} = {oql.literal(str(text))}' for name, text in value.items())}"
        )
    return str(value)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {text}" for name, text in value.items())
    return str(value)
