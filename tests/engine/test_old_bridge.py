"""A pair that a bridge of the old kind had filled for a month is taken over: each thing once on each side, and nothing leaks."""

from __future__ import annotations

import html
import re
from collections import Counter
from datetime import timedelta

import pytest

from itopsync.engine import linking
from itopsync.engine.rebuild import rebuild
from itopsync.engine.taking_over import Row, examine
from itopsync.model import Side
from itopsync.reconcile.by_hand import Joined
from itopsync.reconcile.copied import Bridge, Standing
from itopsync.reconcile.rebuilding import Rebuilt
from itopsync.simulator.caselog import Entry
from itopsync.store.records import CycleKind
from tests.engine.old_bridge import ACCOUNT, OldBridge, Tickets, fill
from tests.engine.rig import Rig

BRIDGE = Bridge({side: frozenset({ACCOUNT}) for side in Side}, timedelta(minutes=15))
OURS = re.compile(r'<p><a name="itopsync-demo-(\w)-[^>]*></a>.*?</p>(.*)', re.DOTALL)
TAG = re.compile(r"<[^>]+>|\[|\]\([^)]*\)")
LETTERS = re.compile(r"[^\W_]+|[^\w\s<>!?.,'-]+")


def take_over(rig: Rig, old: OldBridge, bridge: Bridge = BRIDGE) -> list[Joined]:
    """Link all of the old bridge's pairs with their history, and let cycles pass."""
    rows = [
        Row(line, f"UserRequest:{tickets.ids[Side.EXTERNAL]}", f"UserRequest:{tickets.ids[Side.INTERNAL]}")
        for line, tickets in enumerate(old.tickets, start=2)
    ]
    examined = examine(rig.inspector, rows, history=bridge)
    assert not examined.flaws
    for _, joined in examined.to_link:
        linking.join(rig.pair, joined)
    rig.sync()
    rig.settle()
    return [joined for _, joined in examined.to_link]


def said(entry: Entry) -> str:
    """What an entry says, without our header; empty for a notice of ours."""
    ours = OURS.match(entry.text)
    if ours is not None and ours[1] != "n":
        return ""
    text = ours[2] if ours is not None else entry.text
    return " ".join(LETTERS.findall(html.unescape(TAG.sub(" ", text))))


def log_of(rig: Rig, side: Side, tickets: Tickets) -> list[Entry]:
    return list(rig.simulator(side).ticket("UserRequest", tickets.ids[side])["private_log"])


def entries(rig: Rig, side: Side, tickets: Tickets) -> Counter[str]:
    """How often each thing is said on one side, by whomever."""
    told = Counter(said(entry) for entry in log_of(rig, side, tickets))
    del told[""]
    told.pop("Opened by the bridge", None)
    return told


def people(rig: Rig, tickets: Tickets) -> tuple[Counter[str], Counter[str]]:
    """What people said on either side that may stand on external, and what may stand on internal."""
    both, only_internal = Counter[str](), Counter[str]()
    for side in Side:
        for entry in log_of(rig, side, tickets):
            if entry.user_id == rig.agent(side).account.user_id:
                (only_internal if "#internal" in entry.text else both)[said(entry)] += 1
    return both, both + only_internal


def files(rig: Rig, side: Side, tickets: Tickets) -> Counter[tuple[str, bytes]]:
    attached = rig.simulator(side).ticket("UserRequest", tickets.ids[side])["attachments"]
    return Counter((file["contents"].filename, file["contents"].data) for file in attached)


def assert_each_thing_stands_once(rig: Rig, old: OldBridge, attached: list[Counter[tuple[str, bytes]]]) -> None:
    for tickets, every in zip(old.tickets, attached, strict=True):
        on_external, on_internal = people(rig, tickets)
        assert entries(rig, Side.EXTERNAL, tickets) == on_external
        assert entries(rig, Side.INTERNAL, tickets) == on_internal
        assert files(rig, Side.EXTERNAL, tickets) == files(rig, Side.INTERNAL, tickets) == every
        assert not any("internal He pays late" in text for text in entries(rig, Side.EXTERNAL, tickets))


def attached_by_people(rig: Rig, tickets: Tickets) -> Counter[tuple[str, bytes]]:
    """Each file that a person attached, on whichever side."""
    found = Counter[tuple[str, bytes]]()
    for side in Side:
        for file in rig.simulator(side).ticket("UserRequest", tickets.ids[side])["attachments"]:
            if file["id"] not in tickets.made[side]:
                found[file["contents"].filename, file["contents"].data] += 1
    return found


@pytest.mark.parametrize("seed", range(4))
def test_after_a_month_each_thing_stands_once_on_each_side_and_nothing_is_written_any_more(rig: Rig, seed: int) -> None:
    old = fill(rig, seed, tickets=6, days=30, unseen=20)
    attached = [attached_by_people(rig, tickets) for tickets in old.tickets]
    told = take_over(rig, old)
    counts = sum((Counter(each.notes) for each in told), Counter())
    assert counts[Side.EXTERNAL, Standing.COPIED] > 10
    assert counts[Side.INTERNAL, Standing.COPIED] > 10
    assert counts[Side.EXTERNAL, Standing.NEW] + counts[Side.INTERNAL, Standing.NEW] > 5
    assert_each_thing_stands_once(rig, old, attached)
    written = rig.written()
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle()
    assert rig.written() == written
    assert not [planned for planned in rig.inspector.verify() if planned.plan.actions]


def test_without_its_accounts_less_is_carried_and_still_nothing_is_doubled_or_leaks(rig: Rig) -> None:
    old = fill(rig, 5, tickets=3, days=15, unseen=10)
    take_over(rig, old, Bridge())
    for tickets in old.tickets:
        on_external, on_internal = people(rig, tickets)
        assert entries(rig, Side.EXTERNAL, tickets) <= on_external
        assert entries(rig, Side.INTERNAL, tickets) <= on_internal
        assert not any("internal He pays late" in text for text in entries(rig, Side.EXTERNAL, tickets))


def test_what_was_copied_is_not_sent_after_the_store_is_lost_either(rig: Rig) -> None:
    old = fill(rig, 6, tickets=3, days=15, unseen=10)
    attached = [attached_by_people(rig, tickets) for tickets in old.tickets]
    take_over(rig, old)
    written = rig.written()
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()
    assert len([found for found in rebuild(rig.inspector) if isinstance(found, Rebuilt)]) == 3
    rig.sync()
    rig.settle()
    assert rig.written() == written
    assert_each_thing_stands_once(rig, old, attached)
