"""What people do before a process is killed: between them, the scenarios use every kind of action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from itopsync.model import Side
from itopsync.reconcile.rules import Limits
from itopsync.simulator import FaultKind
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Rig

REQUEST = "UserRequest"
SECRET = "#internal They never pay"


class ShortLog(Limits):
    """A log is full very soon."""

    log_bytes: ClassVar[int] = 2_000


class FullLog(Limits):
    """A log is full from the beginning, and what it does not take is gathered for a few minutes."""

    log_bytes: ClassVar[int] = 100
    gather_quiet: ClassVar[timedelta] = timedelta(minutes=3)


@dataclass(frozen=True)
class Scenario:
    """A situation that agrees, what people do then, and what is to be seen in the end."""

    name: str
    act: Callable[[Rig, int], None]
    """Called with the number of an external request that is linked and at rest."""
    begin: Callable[[Rig, int], None] = lambda rig, number: None
    """What came before, and agrees already."""
    expected: Mapping[str, int] | None = None
    """Word → how often it must stand on each side in the end, where the two logs do not mirror each other one by one."""
    apart: tuple[str, ...] = ()
    """What differs in the end, on purpose."""
    limits: Limits | None = None
    """Other limits than the usual ones."""
    cycles: int = 2


def open_request(rig: Rig) -> int:
    """A request with a copy, and a ticket of internal's own that external must never see."""
    number = rig.customer.create(REQUEST, title="Printer", private_log="<p>It smokes.</p>", service_id=1)
    rig.operator.create(REQUEST, title="Ours", private_log="<p>Unlinked secret</p>")
    return number


def _newcomers(rig: Rig, number: int) -> None:
    incident = rig.customer.create("Incident", title="Mail", private_log="<p>Alpha</p>", service_id=1)
    rig.customer.note("Incident", incident, "<p>Beta</p>")
    rig.customer.attach("Incident", incident, "log.txt", "text/plain", b"log")
    late = rig.customer.create(REQUEST, title="Late", private_log="<p>Gamma</p>", service_id=1)
    rig.customer.stimulus(REQUEST, late, "ev_assign", **TEAM)
    rig.customer.stimulus(REQUEST, late, "ev_resolve", **RESOLVED)


def _pictures(rig: Rig, number: int) -> None:
    new = rig.customer.create(REQUEST, title="Screen")
    picture = rig.customer.paste_image(REQUEST, new, "s.png", "image/png", PICTURE)
    rig.customer.update(REQUEST, new, private_log=f"<p>Alpha {picture}</p>")
    rig.customer.note(REQUEST, new, "<p>Beta</p>")
    copy = rig.copy_of(number)
    shown = rig.operator.paste_image(REQUEST, copy, "t.png", "image/png", PICTURE)
    rig.operator.note(REQUEST, copy, f"<p>Gamma {shown}</p>")


def _form(rig: Rig, number: int) -> None:
    rig.customer.update(REQUEST, number, title="Printer on fire", urgency="1", description="<p>Look: <b>fire</b></p>")
    rig.customer.note(REQUEST, number, "<p>Alpha</p>")


def _notes(rig: Rig, number: int) -> None:
    copy = rig.copy_of(number)
    for word in ("Alpha", "Beta", "Alpha"):
        rig.customer.note(REQUEST, number, f"<p>{word}</p>")
    for word in ("Gamma", "Delta"):
        rig.operator.note(REQUEST, copy, f"<p>{word}</p>")
    rig.operator.note(REQUEST, copy, f"<p>{SECRET}</p>")


def _some_files(rig: Rig, number: int) -> None:
    rig.customer.attach(REQUEST, number, "old.txt", "text/plain", b"old")
    rig.operator.attach(REQUEST, rig.copy_of(number), "older.txt", "text/plain", b"older")


def _files(rig: Rig, number: int) -> None:
    copy = rig.copy_of(number)
    for agent, simulator, ticket, name in (
        (rig.customer, rig.external, number, "old.txt"),
        (rig.operator, rig.internal, copy, "older.txt"),
    ):
        (gone,) = (file for file in simulator.ticket(REQUEST, ticket)["attachments"] if file["contents"].filename == name)
        agent.delete_attachment(gone["id"])
        agent.attach(REQUEST, ticket, f"new {name}", "text/plain", name.encode())
        agent.attach(REQUEST, ticket, f"newer {name}", "text/plain", b"twice " + name.encode())


def _states_to_external(rig: Rig, number: int) -> None:
    copy = rig.copy_of(number)
    rig.operator.stimulus(REQUEST, copy, "ev_assign", **TEAM)
    rig.operator.note(REQUEST, copy, "<p>Alpha</p>")
    rig.operator.stimulus(REQUEST, copy, "ev_resolve", **RESOLVED)


def _states_to_internal(rig: Rig, number: int) -> None:
    rig.customer.stimulus(REQUEST, number, "ev_assign", **TEAM)
    rig.customer.stimulus(REQUEST, number, "ev_resolve", **RESOLVED)
    rig.customer.stimulus(REQUEST, number, "ev_close", user_satisfaction="1", user_comment="Thanks")
    rig.customer.note(REQUEST, number, "<p>Alpha</p>")


def _assigned(rig: Rig, number: int) -> None:
    rig.operator.stimulus(REQUEST, rig.copy_of(number), "ev_assign", **TEAM)


def _conflict(rig: Rig, number: int) -> None:
    rig.customer.stimulus(REQUEST, number, "ev_pending", pending_reason="On leave")
    rig.operator.stimulus(REQUEST, rig.copy_of(number), "ev_resolve", **RESOLVED)
    rig.customer.note(REQUEST, number, "<p>Alpha</p>")


def _overflow(rig: Rig, number: int) -> None:
    for n in range(12):
        rig.customer.note(REQUEST, number, f"<p>Word{n}.</p>")
    rig.customer.update(REQUEST, number, title="Still moving")


def _full_logs(rig: Rig, number: int) -> None:
    for word in ("Alpha", "Beta"):
        rig.customer.note(REQUEST, number, f"<p>{word}</p>")
    for word in ("Gamma", SECRET, "Delta"):
        rig.operator.note(REQUEST, rig.copy_of(number), f"<p>{word}</p>")


def _full_log_and_a_state(rig: Rig, number: int) -> None:
    copy = rig.copy_of(number)
    for word in ("Alpha", "Beta"):
        rig.operator.note(REQUEST, copy, f"<p>{word}</p>")
    rig.operator.stimulus(REQUEST, copy, "ev_resolve", **RESOLVED)


def _long_history(rig: Rig, number: int) -> None:
    new = rig.customer.create(REQUEST, title="Long")
    for n in range(25):
        rig.customer.note(REQUEST, new, f"<p>Word{n}.</p>")


def _wiped_out(rig: Rig, number: int) -> None:
    for simulator in (rig.external, rig.internal):
        simulator.faults.add(FaultKind.OVERWRITTEN, times=1, accounts=["sync"])
    rig.customer.note(REQUEST, number, "<p>Alpha</p>")
    rig.operator.note(REQUEST, rig.copy_of(number), "<p>Beta</p>")


def _too_large(rig: Rig, number: int) -> None:
    rig.customer.attach(REQUEST, number, "huge.bin", "application/octet-stream", bytes(3_000))
    rig.customer.note(REQUEST, number, "<p>Alpha</p>")
    rig.operator.attach(REQUEST, rig.copy_of(number), "small.txt", "text/plain", b"small")


def _deleted_copy(rig: Rig, number: int) -> None:
    """Somebody deletes a copy: it stays away, whatever is killed."""
    (copy,) = (
        file
        for file in rig.internal.ticket(REQUEST, rig.copy_of(number))["attachments"]
        if file["contents"].filename == "old.txt"
    )
    rig.operator.delete_attachment(copy["id"])
    rig.customer.attach(REQUEST, number, "new.txt", "text/plain", b"new")


def _change(rig: Rig, number: int) -> None:
    change = rig.customer.create("NormalChange", title="New mail server", private_log="<p>Alpha</p>")
    rig.sync()
    rig.operator.stimulus(
        "NormalChange",
        rig.copy_of(change, "NormalChange"),
        "ev_validate",
        acceptance_date="2026-11-24 09:00:00",
        acceptance_comment="<p>Fine.</p>",
    )
    rig.customer.note("NormalChange", change, "<p>Beta</p>")


SCENARIOS = (
    Scenario("new tickets with a history", _newcomers),
    Scenario("pictures both ways", _pictures, cycles=3),
    Scenario("a changed form", _form),
    Scenario("notes both ways", _notes),
    Scenario("files come and go both ways", _files, _some_files),
    Scenario("states to external", _states_to_external),
    Scenario("states to internal, up to the end", _states_to_internal),
    Scenario("both sides moved", _conflict, _assigned),
    Scenario("a decision on a change", _change),
    Scenario(
        "a log that fills up", _overflow, expected={f"Word{n}.": 1 for n in range(12)}, apart=("notes", "files"),
        limits=ShortLog(), cycles=3,
    ),
    Scenario(
        "notes for logs that are full", _full_logs, expected=dict.fromkeys(("Alpha", "Beta", "Gamma", "Delta"), 1),
        apart=("notes", "files"), limits=FullLog(), cycles=3,
    ),
    Scenario(
        "notes for a log that is full, and a state", _full_log_and_a_state, _assigned,
        expected=dict.fromkeys(("Alpha", "Beta"), 1), apart=("notes", "files"), limits=FullLog(),
    ),
    Scenario(
        "a history too long for one create", _long_history, expected={f"Word{n}.": 1 for n in range(25)}, apart=("notes",),
        limits=ShortLog(),
    ),
    Scenario(
        "entries wiped out by somebody's save", _wiped_out, expected={"Alpha": 1, "Beta": 1, "Meanwhile": 2}, apart=("notes",),
        cycles=3,
    ),
    Scenario(
        "a file too large, told once", _too_large, apart=("files",), expected={"Not carried": 1},
        limits=Limits(file_size=2_000),
    ),
    Scenario("a copy that somebody deleted", _deleted_copy, _some_files, apart=("files",)),
)  # fmt: skip


def leaked(rig: Rig) -> list[str]:
    """What external shows and must not."""
    tickets = rig.external.tickets()
    shown = str([{**ticket, "attachments": ()} for ticket in tickets])
    shown += "".join(file["contents"].data.decode(errors="replace") for ticket in tickets for file in ticket["attachments"])
    return [f"leaked: {word}" for word in ("Unlinked secret", SECRET) if word in shown]


def told(rig: Rig, side: Side, word: str) -> int:
    """How often a word stands in a side's logs and in the texts that went as files."""
    simulator = rig.external if side is Side.EXTERNAL else rig.internal
    logs = (entry.text for ticket in simulator.tickets() for entry in ticket["private_log"])
    files = (
        file["contents"].data.decode()
        for ticket in simulator.tickets()
        for file in ticket["attachments"]
        if "-n-" in file["temp_id"]
    )
    return sum(text.count(word) for text in (*logs, *files))
