"""Which tombstones are no longer needed: those whose external ticket is gone, so that no copy of it can be made."""

from __future__ import annotations

from collections.abc import Iterable

from itopsync.itop.server import Server
from itopsync.model import Link
from itopsync.reconcile.rules import Rules


def without_original(links: Iterable[Link], external: Server, rules: Rules) -> list[int]:
    """The ids of those of *links* whose external ticket is gone. Classes no longer configured are not asked about.

    :raises SideUnavailable: external cannot be asked
    """
    configured = {cls.external for cls in rules.classes}
    by_class: dict[str, list[Link]] = {}
    for link in links:
        if link.external.cls in configured:
            by_class.setdefault(link.external.cls, []).append(link)
    found: list[int] = []
    for cls, group in by_class.items():
        shown, hidden = external.readable_sightings(cls, "", [link.external.id for link in group])
        there = {sighting.ref.id for sighting in shown} | hidden.keys()
        found += [link.id for link in group if link.external.id not in there]
    return sorted(found)
