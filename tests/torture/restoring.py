"""People at both servers, one of which is restored in between: histories at random, and what is judged in the end."""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from itopsync.engine import linking
from itopsync.engine.steering import Steering
from itopsync.errors import SafetyStop
from itopsync.model import LinkStatus, Ref, Side
from itopsync.reconcile.by_hand import resumed, retried
from itopsync.reconcile.copied import Bridge
from itopsync.simulator.simulator import Snapshot
from itopsync.simulator.store import Document
from itopsync.store.records import CycleKind, RequestKind
from tests.engine.pair import MIXED
from tests.torture.directions import FORM, against_the_rules
from tests.torture.killing import MortalRig
from tests.torture.leaks import leaks
from tests.torture.ledger import Place
from tests.torture.scenarios import FullLog
from tests.torture.staff import Case, Staff, place_of

_WORD = re.compile(r"word\d{5}")
_ALIKE = {"escalated_tto": "new"}
AT_MOST = 6
"""Tickets of one history."""


class Cramped(FullLog):
    """A log is full after some notes; what it does not take goes as a file soon."""

    log_bytes: ClassVar[int] = 1_300


@dataclass
class Shown:
    """What one side shows of people's words: how often, on which tickets."""

    times: Counter[str] = field(default_factory=Counter)
    places: dict[str, set[Place]] = field(default_factory=dict)
    on: dict[Place, set[str]] = field(default_factory=dict)
    """Every word on a ticket, its title's included."""


class History:
    """One history, by its seed; its judge."""

    def __init__(self, seed: int, *, by_hand: bool = False, forms: bool = False) -> None:
        """*by_hand*: two of the tickets are linked by hand, and internal opens one of its own right after the restore.

        *forms*: some of the tickets come from one form; the ids that a restore of external took are given again at once.
        """
        self.rng = random.Random(seed)
        self._link_at = seed % 2 if by_hand else None
        folder = tempfile.TemporaryDirectory(prefix="itopsync-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT") or None)
        self._folder = folder
        limits = Cramped() if self.rng.random() < 0.4 else None
        self.rig = MortalRig(Path(folder.name), limits=limits, versions=self.rng.choice(MIXED))
        self.staff = Staff(self.rig, self.rng, forms=forms)
        self.side = self.rng.choice(list(Side))
        """The one that is restored."""
        self.at: datetime = self.rig.now
        """When it was."""
        self.taken: set[str] = set()
        """The words that the restore took."""
        self.there = Shown()
        """What the other side had then."""
        self.given: frozenset[Place] = frozenset()
        """The tickets of external that it took: their ids are given again."""
        self.found: list[str] = []

    def close(self) -> None:
        self.rig.stop()
        self._folder.cleanup()

    # what happens

    def tell(self) -> list[str]:
        """All of it; the violations."""
        rng, rig, staff, side = self.rng, self.rig, self.staff, self.side
        for _ in range(rng.randint(2, 4)):
            staff.open_one()
        staff.open_inside()
        self.cycle()
        if self._link_at == 0:
            self._link_by_hand()
        self.people(rng.randint(0, 8))
        for _ in range(rng.randint(1, 3)):
            self.cycle(minutes=2)
        backup = rig.simulator(side).snapshot()
        self._note_moves_on_the_way()
        rig.wait(minutes=rng.randint(21, 100))
        if self._link_at == 1:
            self._link_by_hand()
        for _ in range(rng.randint(1, 4)):
            self.people(rng.randint(1, 5))
            if rng.random() < 0.8:
                self.cycle(minutes=rng.randint(1, 12), kill=self._perhaps(0.25))
        for _ in range(rng.randint(0, 2)):
            self.cycle(minutes=rng.randint(1, 12))
        self._restored(backup)
        self._open_more()
        if rng.random() < 0.4:
            self.people(rng.randint(1, 4), early=True)
        rig.wait(minutes=rng.randint(1, 200))
        self.cycle(CycleKind.SWEEP, kill=self._perhaps(0.3))
        self.cycle(CycleKind.SWEEP)
        for _ in range(rng.randint(0, 3)):
            self.people(rng.randint(0, 3))
            self.cycle(minutes=rng.randint(1, 30))
        self.found += self._moved_on_the_other_side(before_a_retry=True)
        one_by_one = rng.random() < 0.5
        self.operator(one_by_one)
        self.cycle(minutes=1, kill=self._perhaps(0.3))
        for _ in range(rng.randint(0, 2)):
            self.people(rng.randint(0, 3))
            self.cycle(minutes=rng.randint(1, 30))
        for minutes in (10, 20, 120, 60, 10):
            self.operator(one_by_one=False)
            self.cycle(CycleKind.SWEEP if minutes == 120 else CycleKind.POLL, minutes=minutes)
        self.found += self._moved_on_the_other_side(before_a_retry=False)
        return [*self.found, *self.judged()]

    def _open_more(self) -> None:
        """What people open right after the restore: tickets that get the ids of those that it took."""
        if self._link_at is not None:
            self.staff.open_inside()
        if self.staff.forms:
            for cls, _ in sorted(self.given, key=lambda place: place[1]):
                self.staff.open_one(self.given, cls)

    def _link_by_hand(self) -> None:
        """A ticket from before the scope's beginning, linked with one that somebody opened in internal after a call."""
        rig, staff = self.rig, self.staff
        titles = {side: staff.say() for side in Side}
        case = Case("UserRequest", {}, renamed=True)
        for side, title in titles.items():
            more = {"start_date": "2026-11-01 00:00:00", "service_id": 1} if side is Side.EXTERNAL else {}
            case.ids[side] = rig.agent(side).create("UserRequest", title=title, **more)
            staff.titles[title] = case
        staff.secrets.append(titles[Side.INTERNAL])
        staff.cases.append(case)
        refs = (Ref(side, "UserRequest", case.ids[side]) for side in Side)
        history = Bridge() if self.rng.random() < 0.5 else None
        linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=history))

    def _perhaps(self, chance: float) -> int | None:
        return self.rng.randrange(80) if self.rng.random() < chance else None

    def people(self, deeds: int, *, early: bool = False) -> None:
        """Some deeds on both sides; *early*: after the restore, before itopsync looks."""
        for _ in range(deeds):
            self.rig.wait(seconds=self.rng.randint(2, 90))
            side = self.rng.choice(list(Side))
            chance = self.rng.random()
            if chance < 0.08 and len(self.staff.cases) < AT_MOST:
                self.staff.open_one(self.given)
            elif chance < 0.12:
                self.staff.open_inside()
            else:
                case = self.staff.act(side)
                if early and case is not None and side is self.side:
                    case.worked_on = True

    def cycle(self, kind: CycleKind = CycleKind.POLL, *, minutes: int = 1, kill: int | None = None) -> None:
        """One cycle; what stops it is looked at and accepted, as the how-to says."""
        self.rig.wait(minutes=minutes)
        accepted: set[str] = set()
        for _ in range(4):
            try:
                self.rig.run(lambda: self.rig.engine.cycle(kind, accepted), kill)
                break
            except SafetyStop as stop:
                if stop.kind not in ("replaced", "missing", "creations"):
                    self.found.append(f"stopped: {stop}")
                accepted.add(stop.kind)
                kill = None
        else:
            self.found.append("still stopped")
        self.staff.learn()

    def operator(self, one_by_one: bool) -> None:
        """``itopsync retry``, and ``resume`` of what is parked as a whole."""
        rig = self.rig
        troubled = list(rig.store.links.troubled(1_000))
        self.rng.shuffle(troubled)
        for link in troubled:
            if link.status is LinkStatus.PARKED:
                rig.store.links.amend(link.id, lambda known: resumed(known, rig.now), rig.now)
            elif one_by_one:
                rig.store.links.amend(link.id, lambda known: retried(known, rig.now), rig.now)
                if self.rng.random() < 0.5:
                    self.cycle()
        if not one_by_one:
            self._retry_all()

    def _retry_all(self) -> None:
        rig = self.rig
        taken = rig.store.requests.take(rig.store.requests.ask(RequestKind.RETRY, "somebody", rig.now), rig.now)
        assert taken is not None
        Steering(rig.store, rig.configuration.rules, lambda: rig.now, rig.inspector).carry_out(taken)

    def _restored(self, backup: Snapshot) -> None:
        """The restore; what the other side had is kept for the judge."""
        self.rig.wait(minutes=1)
        side, simulator = self.side, self.rig.simulator(self.side)
        self.at = self.rig.now
        self.there, before = self.shown(side.other), self.shown(side)
        self._note_moves_on_the_way()
        simulator.restore(backup)
        after = self.shown(side)
        self.taken = set(before.times) - set(after.times)
        given = set()
        for case in self.staff.cases:
            if side.other in case.ids:
                row = self.rig.simulator(side.other).ticket(case.cls, case.ids[side.other])
                case.state = _state(row)
            if side in case.ids and simulator.store.get(case.cls, case.ids[side]) is None:
                case.lost = True
                if side is Side.EXTERNAL:
                    given.add(place_of(case))
                del case.ids[side]
        self.given = frozenset(given)

    # what is judged

    def shown(self, side: Side) -> Shown:
        """Every word of people's on *side*: in logs and in files by how often, and in all else too by where."""
        shown, simulator = Shown(), self.rig.simulator(side)
        for ticket in simulator.tickets():
            place = str(ticket["finalclass"]), int(ticket["id"])
            texts = [entry.text for log in ("private_log", "public_log") for entry in ticket.get(log) or ()]
            files = [file["contents"].data.decode(errors="replace") for file in ticket["attachments"]]
            found = [word for text in (*texts, *files) for word in _WORD.findall(text)]
            shown.times.update(found)
            for word in found:
                shown.places.setdefault(word, set()).add(place)
            shown.on[place] = {*found, *_WORD.findall(_all_of(ticket))}
        return shown

    def judged(self) -> Iterator[str]:
        """By the servers' own data."""
        rig, staff = self.rig, self.staff
        shown = {side: self.shown(side) for side in Side}
        for side in Side:
            yield from (f"{side}: {word} stands {count} times" for word, count in shown[side].times.items() if count > 1)
            yield from against_the_rules(side, rig.simulator(side))
            for place, words in shown[side].on.items():
                cases = {id(self._case_of(word)) for word in words}
                if len(cases) > 1:
                    yield f"{side} {place}: words of {len(cases)} tickets: {sorted(words)}"
        yield from leaks(rig.external, staff.secrets)
        yield from self._kept(shown[self.side.other])
        for case in staff.cases:
            yield from self._agreed(case, shown)
        before = rig.written()
        self.cycle(minutes=10)
        if rig.written() != before:
            yield "a further cycle still wrote"

    def _case_of(self, word: str) -> Case:
        known = self.staff.words.get(word)
        return known.case if known else self.staff.titles[word]

    def _kept(self, now: Shown) -> Iterator[str]:
        """What stood on the other side when the one was restored stands there still."""
        several = self._taken_from(self.taken & {word for word, known in self.staff.words.items() if known.side is self.side})
        for word in self.there.times:
            known = self.staff.words.get(word)
            if known is None or now.times[word]:
                continue
            what = f"{self.side.other}: {word}, {'a file' if known.is_file else 'a note'} of {known.side} on {_named(known.case)}"
            if not known.is_file:
                yield f"{what}, has vanished"
            elif word not in self.staff.dropped and not (word in self.taken and several < 2):
                yield f"{what}, is gone{', and was the last copy' if word in self.taken else ''}"

    def _taken_from(self, words: Iterable[str]) -> int:
        """From how many tickets that are still on both sides the restore took these files, if nobody had withdrawn them."""
        known = [self.staff.words[word] for word in words if word not in self.staff.dropped]
        return len({each.case for each in known if each.is_file and not each.case.lost})

    def _agreed(self, case: Case, shown: dict[Side, Shown]) -> Iterator[str]:
        """The two tickets of a case have each other's notes and files and the same state."""
        if Side.EXTERNAL not in case.ids or case.lost:
            return
        name = _named(case)
        link = self.rig.store.links.of(Ref(Side.EXTERNAL, *place_of(case)))
        if link is None or link.status is not LinkStatus.LINKED or link.internal is None:
            if not case.given_before:
                yield f"{name} has no copy: {link and (link.status, [each.reason for each in link.obstacles])}"
            return
        places = {Side.EXTERNAL: place_of(case), Side.INTERNAL: (case.cls, link.internal.id)}
        lost = self.taken & {word for word, known in self.staff.words.items() if known.side is self.side.other}
        single, dropped = self._taken_from(lost) < 2, self.staff.dropped
        for word, known in self.staff.words.items():
            if known.case is not case or word not in shown[known.side].times:
                continue
            if places[known.side.other] not in shown[known.side.other].places.get(word, ()):
                what = "file" if known.is_file else "note"
                if not (known.is_file and (word in dropped or (single and word in lost))):
                    yield f"{name}: the {what} {word} of {known.side} is not on {known.side.other}"
        rows = {side: self.rig.simulator(side).ticket(*places[side]) for side in Side}
        parked = {str(each.key) for each in link.obstacles if each.parked}
        states = [_state(rows[side]) for side in Side]
        if len(set(states)) > 1 and "state" not in parked:
            yield f"{name}: {states} and nothing is parked"
        moved = case.worked_on or case.unsettled or self._moved_since(places)
        if case.state and not moved and "state" not in parked and set(states) != {case.state}:
            yield f"{name}: {states}, though {self.side.other} had {case.state!r} and nobody moved it since"
        yield from (f"{name}: {each.key}: {each.reason}" for each in link.obstacles if str(each.key) != "state")
        titles = {row["title"] for row in rows.values()}
        if len(titles) > 1 and not (case.renamed or case.worked_on):
            yield f"{name}: titles {sorted(titles)}"

    def _moved_since(self, places: dict[Side, Place]) -> bool:
        """Whether somebody pressed a button since the restore, on either side."""
        pressed = (
            write
            for side, (cls, number) in places.items()
            for write in self.rig.simulator(side).audit.select(
                by="web", verb="apply_stimulus", class_name=cls, id=number, done=True
            )
        )
        return any(write.time >= self.at for write in pressed)

    def _note_moves_on_the_way(self) -> None:
        """Whose two states differ: what one of them shows is still to be carried, or cannot be."""
        for case in self.staff.on(Side.INTERNAL):
            states = {_state(self.rig.simulator(side).ticket(case.cls, case.ids[side])) for side in Side}
            case.unsettled |= len(states) > 1

    def _moved_on_the_other_side(self, *, before_a_retry: bool) -> Iterator[str]:
        """What we wrote of state and form to the other side since the restore, where nobody did anything on the restored one."""
        here, there = self.rig.simulator(self.side), self.rig.simulator(self.side.other)
        for case in self.staff.on(Side.INTERNAL):
            if case.worked_on or case.unsettled or not case.state:
                continue
            ours = there.audit.select(account="sync", class_name=case.cls, id=case.ids[self.side.other], done=True)
            people = here.audit.select(by="web", class_name=case.cls, id=case.ids[self.side], done=True)
            since = [write for write in people if write.time >= self.at]
            for write in ours:
                if write.time < self.at or write.verb == "create":
                    continue
                if write.stimulus and not any(each.stimulus for each in since):
                    yield f"{_named(case)}: {write.stimulus} on {self.side.other} was nobody's: it was {case.state}"
                form = FORM & write.fields.keys()
                if before_a_retry and form and not any(FORM & each.fields.keys() for each in since):
                    yield f"{_named(case)}: {sorted(form)} on {self.side.other} was nobody's"


def _state(row: dict[str, Any]) -> str:
    return _ALIKE.get(row["status"], str(row["status"]))


def _named(case: Case) -> str:
    return f"{case.cls} {'/'.join(f'{side}:{number}' for side, number in case.ids.items())}"


def _all_of(value: Any) -> str:
    """Every text in it."""
    match value:
        case Document():
            return value.data.decode(errors="replace")
        case bytes():
            return value.decode(errors="replace")
        case dict():
            return " ".join(_all_of(each) for name, each in value.items() if name != "attachments")
        case list() | tuple():
            return " ".join(map(_all_of, value))
    return str(value)


def violations_of(seed: int, *, by_hand: bool = False, forms: bool = False) -> list[str]:
    """What is not as it must be after the history of that seed."""
    with closing(History(seed, by_hand=by_hand, forms=forms)) as history:
        return history.tell()
