"""Two servers, people who mean well and others, and the ledger: begun, brought to rest and judged."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from itopsync.engine import marker_loss
from itopsync.model import Ref, Side
from itopsync.simulator import FaultKind, Simulator
from itopsync.store.records import CycleKind
from tests.engine.pair import Versions, usual_versions
from tests.engine.rig import BEGIN
from tests.engine.verifying import compared
from tests.torture.killing import MortalRig
from tests.torture.ledger import Ledger, see_to_what_is_gone
from tests.torture.oddities import Oddity, Spoiler, strike
from tests.torture.rogues import AT_ONCE, Rogues

AT_MOST = timedelta(minutes=5)
BOTH_LOGS = "".join(f'[[logs]]\nexternal = "{log}"\ninternal = "{log}"\n' for log in ("private_log", "public_log"))
INSIDE = "https://inside.example"
"""Under which internal's people reach their server."""


@dataclass
class InsideRig(MortalRig):
    """A rig whose internal server has another address for people, and whose servers' answers can be altered."""

    spoilers: dict[Side, Spoiler] = field(default_factory=dict)

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        side = Side.EXTERNAL if simulator is self.external else Side.INTERNAL
        self.spoilers[side] = Spoiler(super().make_transport(simulator))
        return self.spoilers[side]

    def start(self) -> None:
        rules = self.configuration.rules
        self.configuration = replace(
            self.configuration, rules=replace(rules, internal=replace(rules.internal, public_url=INSIDE))
        )
        super().start()


@dataclass
class Desks:
    """All of it, in a folder of its own."""

    now: datetime = BEGIN
    versions: Versions = field(default_factory=usual_versions)

    def __post_init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="itopsync-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT") or None))
        self.rig = InsideRig(self._folder, BOTH_LOGS, now=self.now, versions=self.versions)
        self.ledger = Ledger(self.rig, inside=(INSIDE,))
        self.people = Rogues(self.rig, self.ledger)
        self.rig.internal.post_max_size = AT_ONCE
        self.ledger.secrets.append(self._name_the_operator())

    def _name_the_operator(self) -> str:
        store, name = self.rig.internal.store, "Zenobia Untold"
        person = store.get("Person", self.rig.operator.account.contact_id)
        assert person is not None
        store.put({**person, "first_name": "Zenobia", "name": "Untold"})
        return name

    def change_the_account(self, side: Side) -> None:
        """Another account has our login from now on; the process is started anew, as whoever changes that does."""
        simulator = self.rig.simulator(side)
        former = simulator.accounts["sync"]
        self.ledger.us[side].add(former.user_id)
        number = 70 + len(self.ledger.us[side])
        simulator.accounts["sync"] = replace(former, user_id=number)
        user = {"finalclass": "UserLocal", "id": number, "login": "sync", "contactid": former.contact_id}
        simulator.store.put({**user, "language": "EN US", "status": "enabled"})
        self.rig.restart()

    def lose_an_answer(self, side: Side) -> None:
        """The next two writes are carried out, and nobody is told."""
        verbs = ["core/create", "core/update", "core/apply_stimulus"]
        self.rig.simulator(side).faults.add(FaultKind.LOST_AFTER, verbs=verbs, accounts=["sync"], times=2)

    def rest(self) -> None:
        """Let nothing go wrong any more, and time enough pass for every wait that ends by itself."""
        accepted = {"missing"} if self.ledger.gone else set()
        for side in Side:
            simulator = self.rig.simulator(side)
            simulator.faults.clear()
            simulator.land()
            simulator.clock_offset = timedelta()
            if simulator.loses_marks:
                simulator.loses_marks = ()
                marker_loss.forget(self.rig.store, side)
                accepted.add("markers")
        for minutes in (1, 10, 20, 120, 400, 10, 10):
            self.rig.wait(minutes=minutes)
            self.rig.engine.cycle(CycleKind.SWEEP if minutes == 120 else CycleKind.POLL, accepted)
            see_to_what_is_gone(self.rig, self.rig.store, self.rig.now)

    def violations(self) -> list[str]:
        """What is not as it must be, once all is at rest."""
        found = [*self.ledger.violations(), *compared(self.rig)]
        before = self.rig.written()
        self.rig.wait(minutes=10)
        self.rig.engine.cycle()
        return [*found, "a further cycle still wrote"] if self.rig.written() != before else found

    def held_up(self, how: Oddity, side: Side, place: int) -> list[str]:
        """What did not go with the next cycle because one ticket was odd."""
        known = [
            ticket
            for ticket in self.ledger.tickets
            if ticket not in self.ledger.gone and self.rig.link(ticket[1], ticket[0]).internal
        ]
        if len(known) < 2:
            return []
        odd, *others = known[place % len(known) :] + known[: place % len(known)]
        ref = self.rig.link(odd[1], odd[0]).ref(side)
        assert ref is not None
        strike(self.rig, self.rig.spoilers[side], how, ref)
        self.rig.wait(minutes=1)
        told = [(ticket, origin, self.people.tell(origin, ticket)) for ticket in others for origin in Side]
        self.rig.wait(minutes=1)
        try:
            report = self.rig.engine.cycle()
        except Exception as error:
            return [f"{how} ended the cycle: {type(error).__name__}: {error}"]
        found = [f"{how}: {problem}" for problem in report.problems.values()]
        for (cls, number), origin, word in told:
            there = self.rig.link(number, cls).ref(origin.other)
            assert there is not None
            if not any(f"{word}<" in text for text in self.rig.texts(origin.other, there.id, cls)):
                found.append(f"{how} on {odd} held up a note of {origin} on {cls} {number}")
        return found

    def delays(self) -> list[str]:
        """The notes and states that did not go with the next cycle, where nothing went wrong."""
        found = []
        for (side, cls, number), words in self.ledger.notes.items():
            link = self.rig.link(number, cls)
            here, there = link.ref(side), link.ref(side.other)
            assert here is not None
            assert there is not None
            for word in dict.fromkeys(words):
                written = self._moments(side, here, word, by="web")
                carried = self._moments(side.other, there, word, by="rest")
                if written and carried and carried[0] - written[0] > AT_MOST:
                    found.append(f"{here}: '{word}' came {carried[0] - written[0]} late")
        return found + [late for ticket in self.ledger.tickets for late in self._late_moves(*ticket)]

    def _late_moves(self, cls: str, number: int) -> Iterator[str]:
        """The moves of ours that came long after the last one of a person's."""
        refs = [ref for ref in (self.rig.link(number, cls).ref(side) for side in Side) if ref is not None]
        moves = [
            move
            for ref in refs
            for move in self.rig.simulator(ref.side).audit.select(verb="apply_stimulus", class_name=cls, id=ref.id, done=True)
        ]
        for ours in (move for move in moves if move.by == "rest"):
            before = [move.time for move in moves if move.by == "web" and move.time <= ours.time]
            if before and ours.time - max(before) > AT_MOST:
                yield f"{cls} {number}: {ours.stimulus} came {ours.time - max(before)} late"

    def _moments(self, side: Side, ref: Ref, word: str, by: str) -> list[datetime]:
        written = self.rig.simulator(side).audit.select(by=by, class_name=ref.cls, id=ref.id, done=True)
        return [write.time for write in written if f"{word}<" in str((write.fields, write.entries))]

    def close(self) -> None:
        self.rig.stop()
        shutil.rmtree(self._folder)
