"""Whatever people do on both sides: carrying out what is planned makes the sides agree, and then nothing is planned."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.model import Side
from itopsync.reconcile.plan import Write
from itopsync.reconcile.state import correspond
from tests.reconcile.world import World

CLASSES = ("UserRequest", "Incident", "Problem", "Change", "NormalChange", "RoutineChange", "EmergencyChange")
PICTURE = '<img src="data:image/png;base64,iVBORw0KGgo=">'
SIDES = st.sampled_from(list(Side))
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "note", "picture", "secret", "attach", "detach", "move", "reason", "sync", "die"]),
        SIDES,
        st.integers(0, 30),
    ),
    max_size=14,
)


@dataclass
class Day:
    """What people did, kept beside the world so that the end can be judged without the planner."""

    world: World
    count: int = 0
    notes: dict[Side, list[str]] = field(default_factory=lambda: {side: [] for side in Side})
    secrets: list[str] = field(default_factory=list)
    files: dict[Side, list[int]] = field(default_factory=lambda: {side: [] for side in Side})
    dropped: set[tuple[Side, int]] = field(default_factory=set)
    """Originals whose copy somebody deleted."""
    unknown: set[tuple[Side, int]] = field(default_factory=set)
    """Originals that somebody deleted before their copies were known, as where we died just then: such a copy may stay."""

    def do(self, deed: str, side: Side, number: int) -> None:
        world = self.world
        self.count += 1
        if side not in world.tickets and deed not in ("sync", "die"):
            side = Side.EXTERNAL
        match deed:
            case "edit":
                world.edits(side, title=f"Title {self.count}")
            case "note" | "picture":
                self.notes[side].append(f"Note {self.count}.")
                world.writes_note(side, f"<p>Note {self.count}.</p>{PICTURE * (deed == 'picture')}")
            case "secret" if side is Side.INTERNAL:
                self.secrets.append(f"Secret {self.count}.")
                world.writes_note(side, f"<p>#internal Secret {self.count}.</p>")
            case "attach":
                self.files[side].append(world.attaches(side))
            case "detach":
                self._detach(side, number)
            case "move":
                self._move(side, number)
            case "reason" if world.tickets[side].state == "pending":
                world.edits(side, pending_reason=f"Reason {self.count}")
            case "sync":
                world.sync()
            case "die":
                world.sync(lost_after=number % 4 + 1)

    def _detach(self, side: Side, number: int) -> None:
        there = self.world.tickets[side].attachments
        if not there:
            return
        chosen = there[number % len(there)]
        if "-p-" in chosen.temp_id:
            return
        self.world.deletes_attachment(side, chosen.id)
        if chosen.id in self.files[side]:
            self.files[side].remove(chosen.id)
            if not any((file.origin, file.original_id) == (side, chosen.id) and file.copy_id for file in self.world.link.files):
                self.unknown.add((side, chosen.id))
        elif "-a-" in chosen.temp_id:
            original = int(chosen.temp_id.rpartition("-")[2][1:])
            pair = {known.original_id: known for known in self.world.link.files}.get(original)
            if pair is not None and pair.copy_id == chosen.id:
                self.dropped.add((side.other, original))

    def _move(self, side: Side, number: int) -> None:
        lifecycle, state = self.world.known.lifecycle, self.world.tickets[side].state
        ways = sorted(stimulus for stimulus in lifecycle.transitions.get(state, {}) if stimulus not in lifecycle.last_resort)
        if ways:
            self.world.moves(side, ways[number % len(ways)])


def _marker(side: Side, number: int) -> str:
    return f"itopsync-acme-a-{side[0]}{number}"


@pytest.mark.parametrize("name", CLASSES)
@given(deeds=DEEDS)
def test_carrying_out_the_plans_makes_both_sides_agree(name: str, deeds: list[tuple[str, Side, int]]) -> None:
    day = Day(World(name))
    for deed, side, number in deeds:
        day.do(deed, side, number)
    world = day.world
    before = {side: dict(ticket.fields) for side, ticket in world.tickets.items()}
    world.sync()
    world.now += timedelta(minutes=1)
    world.sync()  # only now do files count as gone
    external, internal = world.tickets[Side.EXTERNAL], world.tickets[Side.INTERNAL]

    assert world.plan().actions == ()
    stuck = {obstacle.key for obstacle in world.link.obstacles}
    assert correspond(world.rules.classes[0].state, external.state, internal.state) or "state" in stuck
    assert external.fields["title"] == before[Side.EXTERNAL]["title"]
    if Side.INTERNAL not in before or before[Side.INTERNAL]["title"] != internal.fields["title"]:
        assert internal.fields["title"] == external.fields["title"]
    for side, target in ((Side.EXTERNAL, internal), (Side.INTERNAL, external)):
        said = "".join(entry.html for entry in target.logs["private_log"])
        assert [said.count(note) for note in day.notes[side]] == [1] * len(day.notes[side])
        places = [said.index(note) for note in day.notes[side]]
        assert places == sorted(places)
        copies = Counter(attachment.temp_id for attachment in target.attachments if attachment.temp_id)
        assert max(copies.values(), default=1) == 1
        carried = {_marker(side, number) for number in day.files[side] if (side, number) not in day.dropped}
        unknown = {_marker(*original) for original in day.unknown if original[0] is side}
        there = {temp_id for temp_id in copies if "-a-" in temp_id}
        assert carried <= there <= carried | unknown
    outside = "".join(entry.html for entry in external.logs["private_log"])
    assert not any(secret in outside for secret in day.secrets)
    assert not any(
        isinstance(action, Write) and action.side is Side.EXTERNAL and action.fields.keys() & set(world.known.form) - {"impact"}
        for action in world.writes
    )
