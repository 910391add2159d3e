"""People who know the tickets by what they are about: no other one is theirs, whatever id it bears."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from itopsync.model import LinkStatus, Ref, Side
from tests.torture.killing import MortalRig
from tests.torture.ledger import Ledger, Place
from tests.torture.people import CLASSES, People

DEEDS = (*("note",) * 3, *("attach",) * 3, "drop", *("move",) * 3, *("edit",) * 2)


@dataclass(eq=False)
class Case:
    """A ticket for the people who work on it: no other one, whatever id it bears."""

    cls: str
    ids: dict[Side, int]
    """Where it is; a restore may take it."""
    given_before: bool = False
    """Its id in external was another ticket's."""
    lost: bool = False
    """A restore has taken one of its two tickets."""
    worked_on: bool = False
    """People worked on it in the restored server before itopsync looked at it."""
    renamed: bool = False
    """Somebody edited its form in internal."""
    state: str = ""
    """On the other side, when the one was restored."""
    unsettled: bool = False
    """Its state was on its way, or could not be carried, at the backup or when the server was restored."""


@dataclass(frozen=True)
class Word:
    """What somebody wrote, like nothing else: a note or the contents of a file."""

    case: Case
    side: Side
    is_file: bool


class Staff(People):
    """People who know the tickets by what they are about."""

    def __init__(self, rig: MortalRig, rng: random.Random, *, forms: bool = False) -> None:
        """*forms*: some of the tickets come from one form, and so have the same title and one entry."""
        super().__init__(rig, Ledger(rig))
        self.rig, self.rng, self.forms = rig, rng, forms
        self.cases: list[Case] = []
        self.words: dict[str, Word] = {}
        self.secrets: list[str] = []
        self.titles: dict[str, Case] = {}
        self.dropped: set[str] = set()
        """The files that people deleted, or whose copies they did."""

    def say(self) -> str:
        self.count += 1
        return f"word{self.count:05}"

    def _copy(self, ticket: Place) -> int | None:
        return next((each.ids.get(Side.INTERNAL) for each in self.cases if place_of(each) == ticket), None)

    def learn(self) -> None:
        """Find the copies that were made."""
        for case in self.cases:
            if Side.EXTERNAL in case.ids and Side.INTERNAL not in case.ids and not case.lost:
                link = self.rig.store.links.of(Ref(Side.EXTERNAL, *place_of(case)))
                taken = {other.ids.get(Side.INTERNAL) for other in self.cases}
                copy = link.internal if link is not None and link.status is LinkStatus.LINKED else None
                if copy is not None and copy.id not in taken:  # else still the copy of the ticket that had this id before
                    case.ids[Side.INTERNAL] = copy.id

    def on(self, side: Side) -> list[Case]:
        return [case for case in self.cases if side in case.ids and Side.EXTERNAL in case.ids]

    def open_one(self, given: Iterable[Place] = (), cls: str = "") -> None:
        """A new ticket in external."""
        cls, title = cls or self.rng.choice(CLASSES[:3]), self.say()
        from_form = self.forms and self.rng.random() < 0.6
        if from_form:
            title = "Password reset"
        number = self.pair.customer.create(cls, title=title, service_id=1) if cls != "Problem" else self._problem(title)
        case = Case(cls, {Side.EXTERNAL: number}, given_before=(cls, number) in given)
        self.cases.append(case)
        if from_form:  # one without an entry is not told from another of that title
            self._note(Side.EXTERNAL, case)
            self.pair.customer.note(cls, number, "<p>Any news?</p>")
        else:
            self.titles[title] = case

    def _problem(self, title: str) -> int:
        return self.pair.customer.create("Problem", title=title)

    def open_inside(self) -> None:
        """A ticket of internal's own: nothing of it may leave."""
        title, text, data = (self.say() for _ in range(3))
        number = self.pair.operator.create("UserRequest", title=title, private_log=f"<p>{text}</p>")
        self.pair.operator.attach("UserRequest", number, "own.txt", "text/plain", data.encode())
        case = Case("UserRequest", {Side.INTERNAL: number})
        self.titles[title] = self.titles[text] = self.titles[data] = case
        self.secrets += [title, text, data]

    def act(self, side: Side) -> Case | None:
        """One does one thing on *side*; on which ticket."""
        there = self.on(side)
        if not there:
            return None
        case, deed = self.rng.choice(there), self.rng.choice(DEEDS)
        agent, number = self.pair.agent(side), case.ids[side]
        files = self.pair.simulator(side).ticket(case.cls, number)["attachments"]
        files = [file for file in files if "-n-" not in str(file["temp_id"])]
        match deed:
            case "note":
                self._note(side, case)
            case "attach":
                word = self.say()
                agent.attach(case.cls, number, "a.txt", "text/plain", word.encode())
                self.words[word] = Word(case, side, is_file=True)
            case "drop" if files:
                file = self.rng.choice(files)
                agent.delete_attachment(file["id"])
                self.dropped.add(file["contents"].data.decode())
            case "move":
                self._move(side, (case.cls, case.ids[Side.EXTERNAL]), self.rng.randrange(99))
            case "edit":
                word = self.say()
                agent.update(case.cls, number, title=word)
                case.renamed |= side is Side.INTERNAL
                self.titles[word] = case
                if side is Side.INTERNAL:
                    self.secrets.append(word)
        return case

    def _note(self, side: Side, case: Case) -> None:
        word = self.say()
        kept = side is Side.INTERNAL and self.rng.random() < 0.15
        self.pair.agent(side).note(case.cls, case.ids[side], f"<p>{'#internal ' if kept else ''}{word}</p>")
        if kept:
            self.secrets.append(word)
            self.titles[word] = case
        else:
            self.words[word] = Word(case, side, is_file=False)


def place_of(case: Case) -> Place:
    return case.cls, case.ids.get(Side.EXTERNAL, 0)
