"""People at both servers: whatever they may do, at random, each deed noted in the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from itopsync.model import NOTHING, Side
from itopsync.simulator import BareRefusal, FaultKind, Refusal
from itopsync.simulator.refusals import Crash
from tests.engine.pair import Pair
from tests.engine.rig import PICTURE, RESOLVED, TEAM
from tests.torture.ledger import Ledger, Place, marker_of

PRIVATE, PUBLIC = "private_log", "public_log"
CLASSES = ("UserRequest", "Incident", "Problem", "NormalChange")
FIELDS: dict[str, Any] = {
    **TEAM,
    **RESOLVED,
    "pending_reason": "On leave",
    "user_satisfaction": "1",
    "user_comment": "Thanks",
    "acceptance_date": "2026-11-24 09:00:00",
    "acceptance_comment": "<p>Fine.</p>",
    "approval_date": "2026-11-24 09:30:00",
    "approval_comment": "<p>Go.</p>",
    "reason": "<p>No.</p>",
    "start_date": "2026-12-01 09:00:00",
    "end_date": "2026-12-02 09:00:00",
    "fallback": "<p>Back.</p>",
    "outage": "no",
    "impact": "2",
    "manager_group_id": 39,
    "manager_id": 9,
    "supervisor_group_id": 39,
    "supervisor_id": 9,
    "caller_id": 42,
}
"""What people fill in where a state asks for it."""
DATES = ("0202-05-01 08:00:00", "1000-01-01 00:00:00", "9999-12-31 23:59:59", "2026-11-01 08:00:00", None)
"""What people enter where a date is asked for."""
COMPANIONS = ("solution", "resolution_code", "pending_reason", "user_satisfaction", "user_comment")
"""What they fill in besides."""


@dataclass
class People:
    """Each deed takes a side, a number that picks a ticket, and another that picks what else there is to choose."""

    pair: Pair
    ledger: Ledger
    count: int = 0

    DEEDS: ClassVar[tuple[str, ...]] = (
        *("note", "thank", "quote", "paste_a_picture", "keep_to_internal"),
        *("edit", "correct_a_date", "move", "adopt", "attach", "delete_a_file", "replace_a_file", "delete_a_pictures_copy"),
    )
    """What may be done to a ticket that is there: the names of methods."""

    def do(self, deed: str, side: Side, place: int, choice: int) -> None:
        """Do one of :attr:`DEEDS`."""
        getattr(self, deed)(side, place, choice)

    # tickets

    def open(self, cls: str, history: int, moves: int) -> None:
        known = self.pair.external.store.schema[cls].attributes
        fields = {name: value for name, value in {"title": self._word("Ticket"), "service_id": 1}.items() if name in known}
        number = self.pair.customer.create(cls, **fields)
        self.ledger.tickets.append((cls, number))
        for _ in range(history):
            self._write(Side.EXTERNAL, (cls, number), self._word("Note"))
        for move in range(moves):
            self._move(Side.EXTERNAL, (cls, number), move)

    def open_in_internal(self) -> None:
        """A ticket of internal's own: nothing of it may leave."""
        text, title, more = (f"<p>{self._secret('Unlinked')}</p>", self._secret("Title"), self._secret("Description"))
        operator = self.pair.operator
        number = operator.create("UserRequest", title=title, description=f"<p>{more}</p>", private_log=text)
        data = PICTURE + self._secret("Data").encode()
        self.ledger.own_files.append(operator.attach("UserRequest", number, self._secret("Name"), "image/png", data))
        self.ledger.own.append(number)

    def delete(self, side: Side, place: int) -> None:
        if (found := self.pick(side, place)) is not None and self._copy(found) is not None:
            self.pair.agent(side).delete(found[0], self._there(side, found))
            self.ledger.gone.add(found)

    # notes

    def note(self, side: Side, place: int, _choice: int) -> None:
        if (found := self.pick(side, place)) is not None:
            self._write(side, found, self._word("Note"))

    def thank(self, side: Side, place: int, _choice: int) -> None:
        """Write what was written before, word for word."""
        if (found := self.pick(side, place)) is not None:
            self._write(side, found, "Thanks.")

    def quote(self, side: Side, place: int, choice: int) -> None:
        """Paste the head of an entry of ours, marker and all, and write below it."""
        if (found := self.pick(side, place)) is None:
            return
        ticket = self.pair.simulator(side).ticket(found[0], self._there(side, found))
        heads = [
            head[0] for entry in ticket["private_log"] if (head := re.match(r'<p><a name="itopsync-[^"]+-n-[^>]*>', entry.text))
        ]
        if heads:
            self._write(side, found, self._word("Note"), before=f"{heads[choice % len(heads)]}As you said:</p>")

    def paste_a_picture(self, side: Side, place: int, _choice: int) -> None:
        if (found := self.pick(side, place)) is not None:
            self._write(side, found, self._word("Note"), after=self._picture(side, found, self._word("Picture")))

    def keep_to_internal(self, _side: Side, place: int, _choice: int) -> None:
        if (found := self.pick(Side.INTERNAL, place)) is not None:
            self._say(Side.INTERNAL, found, f"<p>#internal {self._secret('Secret')}</p>")

    # form and state

    def edit(self, side: Side, place: int, choice: int) -> None:
        if (found := self.pick(side, place)) is None:
            return
        known = self.pair.external.store.schema[found[0]].attributes
        names = [name for name in ("title", "urgency", "description", "impact") if name in known]
        name = names[choice % len(names)]
        word = self._word if side is Side.EXTERNAL else self._secret  # the form goes one way
        value = str(choice % 3 + 1) if name in {"urgency", "impact"} else word("Text")
        with self._saving(side, found):
            self.pair.agent(side).update(found[0], self._there(side, found), **{name: value})
        if side is Side.INTERNAL:
            self.ledger.edited.add(found)

    def correct_a_date(self, _side: Side, place: int, choice: int) -> None:
        """Enter when a ticket began, or is planned to begin: in any year, or not at all.

        One without a copy would leave the scope.
        """
        if (found := self.pick(Side.EXTERNAL, place)) is not None and self._copy(found) is not None:
            with self._saving(Side.EXTERNAL, found):
                self.pair.customer.update(*found, start_date=DATES[choice % len(DATES)])

    def move(self, side: Side, place: int, choice: int) -> None:
        if (found := self.pick(side, place)) is not None:
            self._move(side, found, choice)

    def adopt(self, side: Side, place: int, choice: int) -> None:
        """Make one request the parent of another: iTop copies entries and the solution down, whoever wrote them."""
        child, parent = self.pick(side, place), self.pick(side, choice)
        if child is None or parent is None or child == parent or {child[0], parent[0]} != {"UserRequest"}:
            return
        # No more than two generations, and no parent here that is a child there: its entries would come back to it by its child.
        parents, children = ({relative[1:] for relative in family} for family in (self.ledger.parents, self.ledger.children))
        if parent in children or child in parents:
            return
        self.ledger.parents.add((side, *parent))
        self.ledger.children.add((side, *child))
        with self._saving(side, child):
            number, of = (self._there(side, ticket) for ticket in (child, parent))
            self.pair.agent(side).update("UserRequest", number, parent_request_id=of)

    def _move(self, side: Side, ticket: Place, choice: int) -> None:
        """Press one of the buttons that there are at this state, or one for which it is too late."""
        simulator, number = self.pair.simulator(side), self._there(side, ticket)
        row = simulator.store.get(ticket[0], number)
        if row is None:
            return  # it is not to be seen yet
        lifecycle = simulator.store.schema[ticket[0]].lifecycle
        stimuli = sorted(lifecycle[row["status"]].transitions) or ["ev_assign"]
        self._press(side, ticket, stimuli[choice % len(stimuli)])

    def _press(self, side: Side, ticket: Place, stimulus: str, said: Mapping[str, str] = NOTHING) -> None:
        """Press a button and fill in what it asks for: what is *said*, or the usual."""
        simulator, number = self.pair.simulator(side), self._there(side, ticket)
        row = simulator.store.get(ticket[0], number)
        assert row is not None
        lifecycle = simulator.store.schema[ticket[0]].lifecycle
        transition = lifecycle[row["status"]].transitions.get(stimulus)
        needed = lifecycle[transition.target].mandatory if transition else ()
        target = transition.target if transition else ""
        extra = COMPANIONS[:2] if target == "resolved" else COMPANIONS[3:] if target == "closed" else ()
        known = simulator.store.schema[ticket[0]].attributes
        asked = [name for name in dict.fromkeys((*needed, *extra)) if name in FIELDS and name in known]
        fields = {name: said.get(name, FIELDS[name]) for name in asked}
        try:
            with self._saving(side, ticket):
                self.pair.agent(side).stimulus(ticket[0], number, stimulus, **fields)
        except (Refusal, BareRefusal, Crash):
            return
        for name in fields:
            self.ledger.corrected.pop((*ticket, name), None)

    def resolve(self, side: Side, ticket: Place) -> None:
        """Press what leads to a solution."""
        for stimulus in ("ev_assign", "ev_resolve"):
            self._press(side, ticket, stimulus)

    def correct_while_the_other_moves_on(self, side: Side, place: int, choice: int) -> None:
        """Correct what went with the state, just as somebody on the other side closes the ticket. Only where both are at rest."""
        resolved = [ticket for ticket in self.ledger.tickets if self._are_resolved(ticket)]
        if not resolved:
            return
        ticket, name = resolved[place % len(resolved)], COMPANIONS[choice % 2]
        value = ("training", "bug fixed")[choice // 2 % 2] if name == "resolution_code" else self._word("Corrected")
        with self._saving(side, ticket):
            self.pair.agent(side).update(ticket[0], self._there(side, ticket), **{name: value})
        self._press(side.other, ticket, "ev_close")
        self.ledger.corrected[*ticket, name] = value

    def _are_resolved(self, ticket: Place) -> bool:
        """Whether both sides of a ticket stand at the same solution, and nothing is under way between them."""
        if ticket in self.ledger.gone or self._copy(ticket) is None or self.pair.external.store.get(*ticket) is None:
            return False
        both = [self.pair.simulator(side).ticket(ticket[0], self._there(side, ticket)) for side in Side]
        link = self.pair.link(ticket[1], ticket[0])
        rests = not link.in_doubt and not link.obstacles
        return rests and all(ticket["status"] == "resolved" and "solution" in ticket for ticket in both)

    # files

    def attach(self, side: Side, place: int, _choice: int) -> None:
        if (found := self.pick(side, place)) is not None:
            data = self._word("Data").encode()
            self.pair.agent(side).attach(found[0], self._there(side, found), "a.txt", "text/plain", data)

    def delete_a_pictures_copy(self, side: Side, place: int, choice: int) -> None:
        """The attachment that was made of a pasted picture: what shows it stays as it is."""
        if (found := self.pick(side, place)) is None:
            return
        there = self.pair.simulator(side).ticket(found[0], self._there(side, found))["attachments"]
        copies = [file for file in there if file["temp_id"].startswith("itopsync-demo-p-")]
        if copies:
            self.pair.agent(side).delete_attachment(copies[choice % len(copies)]["id"])

    def delete_a_file(self, side: Side, place: int, choice: int) -> None:
        """A file, be it an original or a copy."""
        if (found := self.pick(side, place)) is None:
            return
        there = self.pair.simulator(side).ticket(found[0], self._there(side, found))["attachments"]
        files = [file for file in there if not file["temp_id"].startswith("itopsync-demo-p-")]
        if files:
            self.pair.agent(side).delete_attachment(files[choice % len(files)]["id"])

    def replace_a_file(self, side: Side, place: int, choice: int) -> None:
        """Delete a file and attach another one, which gets its id, as from a database that has forgotten it."""
        if (found := self.pick(side, place)) is None:
            return
        agent, simulator = self.pair.agent(side), self.pair.simulator(side)
        there = simulator.ticket(found[0], self._there(side, found))["attachments"]
        now = simulator.session(agent.account, "web").now  # nobody tells two of one second apart
        files = [file for file in there if not file["temp_id"].startswith("itopsync-") and file["creation_date"] != now]
        if files:
            old, table = files[choice % len(files)]["id"], simulator.store.table("Attachment")
            with simulator.exclusively():
                self.ledger.replaced.add(marker_of(side, simulator.store.get("Attachment", old) or {}))
                agent.delete_attachment(old)
                table.next_id, after = old, table.next_id
                self.attach(side, place, choice)
                table.next_id = after

    def lose_copies(self, side: Side, _place: int, _choice: int) -> None:
        """A restore takes away every copy of a file on a side: nobody has deleted those."""
        store = self.pair.simulator(side).store
        for row in list(store.rows("Attachment")):
            if str(row["temp_id"]).startswith("itopsync-demo-a-"):
                store.remove("Attachment", row["id"])

    # small things

    def _word(self, word: str) -> str:
        self.count += 1
        return f"{word} {self.count}."

    def _secret(self, word: str) -> str:
        """A word that external may not see."""
        self.ledger.secrets.append(self._word(word))
        return self.ledger.secrets[-1]

    def _picture(self, side: Side, ticket: Place, word: str) -> str:
        """Paste a picture, which bears a word and so is like no other, into a form; how it stands in a text."""
        data = PICTURE + word.encode()
        return self.pair.agent(side).paste_image(ticket[0], self._there(side, ticket), "s.png", "image/png", data)

    @contextmanager
    def _saving(self, side: Side, ticket: Place) -> Iterator[None]:
        """A save; one that becomes visible late wipes out what others write meanwhile, and that is noted."""
        faults = self.pair.simulator(side).faults.counts
        before = faults[FaultKind.LATE_COMMIT]
        try:
            yield
        finally:
            if faults[FaultKind.LATE_COMMIT] != before:
                self.ledger.late.add((side, *ticket))

    def _copy(self, ticket: Place) -> int | None:
        """The id of a ticket's copy that is there and known."""
        cls, number = ticket
        try:
            link = self.pair.link(number, cls)
        except AssertionError:
            return None
        known = link.internal is not None and self.pair.internal.store.get(cls, link.internal.id) is not None
        return link.internal.id if known and link.internal is not None else None

    def _there(self, side: Side, ticket: Place) -> int:
        copy = self._copy(ticket) if side is Side.INTERNAL else ticket[1]
        assert copy is not None
        return copy

    def pick(self, side: Side, place: int) -> Place | None:
        """One of the tickets that are on *side*."""
        there = [
            ticket
            for ticket in self.ledger.tickets
            if ticket not in self.ledger.gone
            and self.pair.external.store.get(*ticket) is not None
            and (side is Side.EXTERNAL or self._copy(ticket) is not None)
        ]
        return there[place % len(there)] if there else None

    def _write(self, side: Side, ticket: Place, text: str, *, before: str = "", after: str = "", log: str = PRIVATE) -> None:
        if self._say(side, ticket, f"{before}<p>{text}</p>{after}", log=log):
            written = self.ledger.notes if log == PRIVATE else self.ledger.public
            written.setdefault((side, *ticket), []).append(text)

    def _say(self, side: Side, ticket: Place, markup: str, *, log: str = PRIVATE) -> bool:
        """Write an entry; False where the ticket is not to be seen yet."""
        number = self._there(side, ticket)
        if self.pair.simulator(side).store.get(ticket[0], number) is None:
            return False
        with self._saving(side, ticket):
            self.pair.agent(side).note(ticket[0], number, markup, log=log)
        return True
