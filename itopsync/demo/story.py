"""What people do in the demo, step by step. After each step itopsync runs one cycle."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from itopsync.demo.compare import copies
from itopsync.demo.desk import Desk

PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
"""A PNG of one pixel."""
_TEAM = {"team_id": 39, "agent_id": 9}
_GROUPS = {"team_id": 39, "supervisor_group_id": 39, "manager_group_id": 39}
_PEOPLE = {"agent_id": 9, "supervisor_id": 9, "manager_id": 9}
_SLOT = {"start_date": "2026-12-01 20:00:00", "end_date": "2026-12-01 22:00:00", "outage": "yes"}
_RESOLVED = {"solution": "<p>Toner changed.</p>", "resolution_code": "assistance", "service_id": 1}


@dataclass(frozen=True)
class Step:
    """One step: what it is called, and what people do in it."""

    what: str
    acts: tuple[Callable[[], object], ...]

    def act(self) -> None:
        for act in self.acts:
            act()


def step(what: str, *acts: Callable[[], object]) -> Step:
    """One step of the story: its description, and everything that people do in it."""
    return Step(what, acts)


@dataclass
class Story:
    """The story and its tickets: each name in it stands for a ticket's class and external id."""

    ONLY_INTERNAL: ClassVar[str] = "Rotate the keys of the backup vault"
    """The title of a ticket that internal's people open for themselves."""
    desk: Desk
    tickets: dict[str, tuple[str, int]] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)

    def steps(self, *, short: bool) -> tuple[Step, ...]:
        """The steps of the whole day, or only of its first hour."""
        longer = () if short else (*self._laptop(), *self._screen(), *self._outage(), *self._change())
        return (*self._own(), *self._printer(), *longer)

    # what people do

    def opens(self, name: str, cls: str, **fields: object) -> None:
        """The customer opens a ticket."""
        self.tickets[name] = cls, self.desk.customer.create(cls, **fields)

    def customer_notes(self, name: str, text: str, *, picture: bool = False) -> None:
        """The customer adds an entry to the private log, with or without a pasted picture."""
        cls, number = self.tickets[name]
        self._note("customer", cls, number, text, picture=picture)

    def operator_notes(self, name: str, text: str, *, picture: bool = False) -> None:
        """The operator adds an entry to the copy's private log."""
        cls, number = self._copy(name)
        self._note("operator", cls, number, text, picture=picture)

    def customer_moves(self, name: str, stimulus: str, **fields: object) -> None:
        """The customer's side applies a stimulus."""
        cls, number = self.tickets[name]
        self.desk.customer.stimulus(cls, number, stimulus, **fields)

    def operator_moves(self, name: str, stimulus: str, **fields: object) -> None:
        """The operator applies a stimulus."""
        cls, number = self._copy(name)
        self.desk.operator.stimulus(cls, number, stimulus, **fields)

    def customer_attaches(self, name: str, file: str, data: bytes) -> None:
        """The customer attaches a file."""
        cls, number = self.tickets[name]
        self.files[file] = self.desk.customer.attach(cls, number, file, "text/plain", data)

    def operator_attaches(self, name: str, file: str, data: bytes) -> None:
        """The operator attaches a file."""
        cls, number = self._copy(name)
        self.files[file] = self.desk.operator.attach(cls, number, file, "application/pdf", data)

    def customer_edits(self, name: str, **fields: object) -> None:
        """The customer edits the form."""
        cls, number = self.tickets[name]
        self.desk.customer.update(cls, number, **fields)

    def _copy(self, name: str) -> tuple[str, int]:
        cls, number = self.tickets[name]
        return cls, copies(self.desk.internal)[cls, number]

    def _note(self, who: str, cls: str, number: int, text: str, *, picture: bool) -> None:
        agent = self.desk.customer if who == "customer" else self.desk.operator
        image = agent.paste_image(cls, number, "screen.png", "image/png", PICTURE) if picture else ""
        agent.note(cls, number, f"<p>{text}</p>{image}")

    # the stories

    def _own(self) -> tuple[Step, ...]:
        """A ticket that never leaves internal."""
        return (
            step(
                "The company's people open a ticket of their own",
                lambda: self.desk.operator.create("UserRequest", title=self.ONLY_INTERNAL, private_log="<p>Quarterly.</p>"),
            ),
        )

    def _printer(self) -> tuple[Step, ...]:
        """A request with a picture and files, through pending to resolved and closed."""
        return (
            step(
                "A customer opens a request: the printer on the third floor is broken",
                lambda: self.opens("printer", "UserRequest", title="Printer broken", description="<p>It <b>blinks</b>.</p>"),
            ),
            step("She adds a note with a pasted picture", lambda: self.customer_notes("printer", "It shows this:", picture=True)),
            step("She attaches a file", lambda: self.customer_attaches("printer", "printer.log", b"jam in tray 2\n")),
            step("An operator takes the copy", lambda: self.operator_moves("printer", "ev_assign", **_TEAM)),
            step("He answers", lambda: self.operator_notes("printer", "We are on our way.")),
            step(
                "He writes a note that must stay internal",
                lambda: self.operator_notes("printer", "#internal Old model, replace it"),
            ),
            step("He attaches a PDF", lambda: self.operator_attaches("printer", "manual.pdf", b"%PDF-1.4 manual")),
            step("He waits for a part", lambda: self.operator_moves("printer", "ev_pending", pending_reason="Toner is ordered")),
            step(
                "The customer raises the urgency and deletes her file",
                lambda: self.customer_edits("printer", urgency="1"),
                lambda: self.desk.customer.delete_attachment(self.files["printer.log"]),
            ),
            step("The part has arrived", lambda: self.operator_moves("printer", "ev_assign", **_TEAM)),
            step("The operator resolves it", lambda: self.operator_moves("printer", "ev_resolve", **_RESOLVED)),
            step(
                "The customer is satisfied and closes it",
                lambda: self.customer_moves("printer", "ev_close", user_satisfaction="1", user_comment="Thank you"),
            ),
        )

    def _laptop(self) -> tuple[Step, ...]:
        """A request that needs approval: first rejected, later reopened after it was resolved."""
        return (
            step(
                "A customer asks for a laptop",
                lambda: self.opens("laptop", "UserRequest", title="New laptop", description="<p>Please.</p>"),
            ),
            step("It waits for approval", lambda: self.customer_moves("laptop", "ev_wait_for_approval")),
            step("It is rejected", lambda: self.operator_moves("laptop", "ev_reject")),
            step("She explains, and it is reopened", lambda: self.customer_moves("laptop", "ev_reopen")),
            step("It waits for approval once more", lambda: self.customer_moves("laptop", "ev_wait_for_approval")),
            step("This time it is approved", lambda: self.operator_moves("laptop", "ev_approve")),
            step("It is assigned", lambda: self.operator_moves("laptop", "ev_assign", **_TEAM)),
            step("It takes too long: the server's timer escalates it", lambda: self.operator_moves("laptop", "ev_timeout")),
            step("It is resolved", lambda: self.operator_moves("laptop", "ev_resolve", **_RESOLVED)),
            step("The customer is not satisfied and reopens it", lambda: self.customer_moves("laptop", "ev_reopen")),
        )

    def _screen(self) -> tuple[Step, ...]:
        """A request that nobody takes in time."""
        return (
            step(
                "A screen flickers",
                lambda: self.opens("screen", "UserRequest", title="Screen flickers", description="<p>At 60 Hz.</p>"),
            ),
            step("Nobody takes it: external's timer escalates it", lambda: self.customer_moves("screen", "ev_timeout")),
            step("It is assigned", lambda: self.operator_moves("screen", "ev_assign", **_TEAM)),
        )

    def _outage(self) -> tuple[Step, ...]:
        """An incident that both sides write to at the same time and move to different states: internal wins."""
        return (
            step(
                "Mail is down: an incident", lambda: self.opens("mail", "Incident", title="Mail is down", description="<p>!</p>")
            ),
            step("It is assigned", lambda: self.operator_moves("mail", "ev_assign", **_TEAM)),
            step(
                "Both sides write and move it at the same time",
                lambda: self.customer_notes("mail", "Still nothing."),
                lambda: self.operator_notes("mail", "The server restarts.", picture=True),
                lambda: self.customer_moves("mail", "ev_pending", pending_reason="Nobody answers"),
                lambda: self.operator_moves("mail", "ev_resolve", **_RESOLVED),
            ),
        )

    def _change(self) -> tuple[Step, ...]:
        """A change through its whole life."""
        accepted = {"acceptance_date": "2026-11-24 09:00:00", "acceptance_comment": "Sensible"}
        approved = {"approval_date": "2026-11-25 09:00:00", "approval_comment": "Go"}
        return (
            step(
                "A change is requested",
                lambda: self.opens("move", "NormalChange", title="Move mail", description="<p>New host</p>"),
            ),
            step("It is validated", lambda: self.customer_moves("move", "ev_validate", **_GROUPS, **accepted)),
            step("It is assigned", lambda: self.customer_moves("move", "ev_assign", **_PEOPLE)),
            step(
                "It is planned",
                lambda: self.customer_moves("move", "ev_plan", **_SLOT, impact="Mail is down", fallback="Keep the old host"),
            ),
            step("Internal approves it", lambda: self.operator_moves("move", "ev_approve", **approved)),
            step("It is implemented", lambda: self.operator_moves("move", "ev_implement")),
            step("It is finished", lambda: self.operator_moves("move", "ev_finish")),
        )
