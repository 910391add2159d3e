"""A ticket whose logs are full: what people still say arrives in a few files, and everybody is told what happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import Console

from itopsync.cli import show, show_status
from itopsync.cli.verifying import tell
from itopsync.engine import plan
from itopsync.engine.rebuild import rebuild
from itopsync.engine.story import explain
from itopsync.model import Side
from itopsync.reconcile.by_hand import retried
from itopsync.reconcile.files import COPIES_GONE
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.rules import Limits
from itopsync.simulator import FaultKind
from itopsync.status import OK, freshness, status
from itopsync.store.records import CycleKind, CycleOutcome
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Rig
from tests.engine.verifying import compared, excused, verified

REQUEST = "UserRequest"
WORDS = [f"Word{n:02}." for n in range(70)]


class NoRoom(Limits):
    """Every log is full."""

    log_bytes: ClassVar[int] = 100


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, limits=NoRoom())
    yield made
    made.stop()


def _opens(rig: Rig) -> dict[Side, int]:
    """A request with its copy, at rest: the ids on both sides."""
    number = rig.customer.create(REQUEST, title="Printer", service_id=1)
    rig.sync()
    rig.settle(2)
    return {Side.EXTERNAL: number, Side.INTERNAL: rig.copy_of(number)}


def _files(rig: Rig, side: Side, ids: dict[Side, int]) -> list[Any]:
    return [attachment["contents"] for attachment in rig.simulator(side).ticket(REQUEST, ids[side])["attachments"]]


def _says(rig: Rig, side: Side, ids: dict[Side, int], *words: str) -> None:
    for word in words:
        rig.agent(side).note(REQUEST, ids[side], f"<p>{word}</p>")


def _shown(what: Any) -> str:
    console = Console(width=250, no_color=True)
    with console.capture() as captured:
        console.print(what) if not callable(what) else what(console)
    return captured.get()


@pytest.mark.parametrize("side", list(Side))
def test_seventy_notes_are_five_files(rig: Rig, side: Side) -> None:
    ids = _opens(rig)
    for word in WORDS:
        _says(rig, side, ids, word)
        rig.engine.cycle()
        rig.wait(seconds=30)
    assert _files(rig, side.other, ids) == []
    rig.settle(2)
    files = _files(rig, side.other, ids)
    assert len(files) == 5
    assert re.findall(r"Word\d\d\.", "".join(file.data.decode() for file in files)) == WORDS
    told = [text for text in rig.texts(side.other, ids[side.other]) if "is full" in text]
    assert len(told) == 1
    assert compared(rig) == []
    before = rig.written()
    rig.settle()
    assert rig.written() == before


def test_a_note_and_the_resolution_after_it_arrive_together(rig: Rig) -> None:
    ids = _opens(rig)
    rig.operator.stimulus(REQUEST, ids[Side.INTERNAL], "ev_assign", **TEAM)
    rig.sync()
    _says(rig, Side.INTERNAL, ids, "Try it now.")
    rig.sync()
    assert _files(rig, Side.EXTERNAL, ids) == []
    rig.operator.stimulus(REQUEST, ids[Side.INTERNAL], "ev_resolve", **RESOLVED)
    rig.sync()
    assert rig.external.ticket(REQUEST, ids[Side.EXTERNAL])["status"] == "resolved"
    assert ["Try it now." in file.data.decode() for file in _files(rig, Side.EXTERNAL, ids)] == [True]


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("arrived", [False, True])
def test_a_lost_store_loses_and_doubles_nothing(rig: Rig, side: Side, arrived: bool) -> None:
    ids = _opens(rig)
    _says(rig, side, ids, *WORDS[:3])
    rig.sync()
    if arrived:
        rig.settle(2)
    assert len(_files(rig, side.other, ids)) == arrived
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()
    list(rebuild(rig.inspector))
    _says(rig, side, ids, WORDS[3])
    rig.settle()
    files = _files(rig, side.other, ids)
    assert len(files) == 1 + arrived
    assert re.findall(r"Word\d\d\.", "".join(file.data.decode() for file in files)) == WORDS[:4]
    assert sum("is full" in text for text in rig.texts(side.other, ids[side.other])) == 1
    assert compared(rig) == []


def test_while_they_are_gathered_nothing_is_wrong_and_everybody_says_until_when(rig: Rig) -> None:
    ids = _opens(rig)
    _says(rig, Side.EXTERNAL, ids, *WORDS[:2])
    said = rig.now
    report = rig.sync()
    assert report.outcome is CycleOutcome.WELL
    until = f"{said.replace(minute=said.minute + 10):%H:%M}"
    link = rig.link(ids[Side.EXTERNAL])
    assert link.due_at is not None

    (planned,) = rig.inspector.inspect([link])
    assert planned.plan.actions == ()
    log = "log:internal:private_log:notes"
    remark = f"{log}: gathered into one file (until {until} UTC: the log is full: what comes until then goes as one file"
    assert remark in _shown(lambda console: show.plans(console, [planned], rig.store.links.troubles()))
    assert compared(rig) == []
    assert all(result.agrees for result in verified(rig))
    assert excused(rig) == [("entry", "it goes as a file, with what else comes: the log is full")] * 2
    found = status(rig.store, "demo", rig.now)
    assert f"gathered until 11-24 {until}" in _shown(show_status.status(found))
    assert (found.items.any, freshness(found, rig.now - said).word) == (False, OK)
    story = explain(rig.pair, planned)
    told = _shown(lambda console: show.story(console, story))
    assert f"gathered until 2026-11-24 {until} UTC: {log}: the log is full" in told
    assert "still to do: nothing until then" in told
    assert "not carried" not in told


@pytest.mark.parametrize("kind", [FaultKind.LOST_BEFORE, FaultKind.LOST_AFTER, FaultKind.LANDS_LATE])
def test_an_answer_that_is_lost_doubles_nothing(rig: Rig, kind: FaultKind) -> None:
    ids = _opens(rig)
    _says(rig, Side.EXTERNAL, ids, *WORDS[:3])
    rig.sync()
    rig.internal.faults.add(kind, verbs=("core/create",), times=1, accounts=["sync"], seconds=120)
    rig.settle()
    assert re.findall(r"Word\d\d\.", "".join(file.data.decode() for file in _files(rig, Side.INTERNAL, ids))) == WORDS[:3]
    assert compared(rig) == []


def test_a_file_that_is_refused_is_tried_note_by_note(rig: Rig) -> None:
    ids = _opens(rig)
    _says(rig, Side.EXTERNAL, ids, *WORDS[:3])
    rig.sync()
    rig.internal.faults.add(FaultKind.HUGE_ERROR, verbs=("core/create",), times=2, accounts=["sync"])
    rig.settle()
    words = [re.findall(r"Word\d\d\.", file.data.decode()) for file in _files(rig, Side.INTERNAL, ids)]
    assert words == [[word] for word in WORDS[:3]]
    assert compared(rig) == []


@pytest.mark.parametrize("side", list(Side))
def test_a_note_that_quotes_an_entry_of_ours_is_found_in_the_file_before_a_later_one(rig: Rig, side: Side) -> None:
    ids = _opens(rig)
    head = rig.texts(Side.INTERNAL, ids[Side.INTERNAL])[0]
    _says(rig, side, ids, WORDS[0], f"{head}As it says.", WORDS[1])
    rig.settle(2)
    (file,) = _files(rig, side.other, ids)
    assert re.findall(r"Word\d\d\.|As it says\.", file.data.decode()) == [WORDS[0], "As it says.", WORDS[1]]
    assert compared(rig) == []


@pytest.mark.parametrize("side", list(Side))
def test_notes_that_name_an_address_of_their_server_are_found_in_the_file(rig: Rig, side: Side) -> None:
    ids = _opens(rig)
    _says(rig, side, ids, *_with_addresses(side))
    rig.settle(2)
    (file,) = _files(rig, side.other, ids)
    assert file.data.decode().count("[link]") == 3
    assert compared(rig) == []


def test_notes_that_name_an_address_of_their_server_are_found_in_the_entry_that_a_copy_is_made_with(rig: Rig) -> None:
    number = rig.customer.create(REQUEST, title="Printer", service_id=1)
    _says(rig, Side.EXTERNAL, {Side.EXTERNAL: number}, *_with_addresses(Side.EXTERNAL))
    rig.sync()
    joined = rig.texts(Side.INTERNAL, rig.copy_of(number))[-1]
    assert joined.count("[link]") == 3
    rig.settle(2)
    assert compared(rig) == []


def _with_addresses(side: Side) -> list[str]:
    """Notes of which some name an address of *side*, in the middle, alone and twice."""
    page = f"{side.pick('http://127.0.0.1:8081', 'http://127.0.0.1:8082')}/pages/UI.php?operation=details"
    return [WORDS[0], f"See {page} for more", page, WORDS[1], f"Or <a href='{page}'>there</a>, {page}", WORDS[2]]


def _sends(rig: Rig, side: Side, ids: dict[Side, int], *words: str) -> int:
    """Notes that went as one file: its id."""
    _says(rig, side, ids, *words)
    before = {attachment["id"] for attachment in rig.simulator(side.other).ticket(REQUEST, ids[side.other])["attachments"]}
    rig.settle(2)
    after = {attachment["id"] for attachment in rig.simulator(side.other).ticket(REQUEST, ids[side.other])["attachments"]}
    (file,) = after - before
    return int(file)


@pytest.mark.parametrize("side", list(Side))
def test_a_file_that_somebody_deletes_is_excused_once_and_nothing_else_is(
    rig: Rig, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _opens(rig)
    gone = [_sends(rig, side, ids, *WORDS[:3]), _sends(rig, side, ids, "Same."), _sends(rig, side, ids, "Same.")]
    for file in gone[:2]:
        rig.agent(side.other).delete_attachment(file)
    rig.settle(1)
    assert len(_files(rig, side.other, ids)) == 1
    assert compared(rig) == []
    assert all(result.agrees for result in verified(rig))
    deleted = "somebody deleted its copy, which was a file"
    assert excused(rig) == [("entry", f"{deleted}, and that of 2 more"), ("entry", deleted)]
    shown = _shown(lambda console: tell(console, verified(rig), 1, parked=0, at_rest=(), troubled=0))
    lines = [line for line in shown.splitlines() if "deleted" in line]
    assert len(lines) == 2
    assert lines[0].endswith(", and 2 more like it")

    monkeypatch.setattr(plan, "plan_link", lambda link, *_, **__: Plan(link))
    _says(rig, side, ids, WORDS[3], "Same.")
    told = f"external:{REQUEST}:{ids[Side.EXTERNAL]}: {side}: entry {{}} of private_log has no mirror on {side.other}"
    last = len(rig.texts(side, ids[side]))
    assert compared(rig) == [told.format(last - 1), told.format(last)]


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("written", [False, True])
def test_files_that_a_restore_took_from_several_tickets_are_told_and_made_again_when_one_says_so(
    rig: Rig, side: Side, written: bool
) -> None:
    """With the pictures that their notes show. What was *written* besides tells that the tickets went back: they wait whole."""
    tickets = [_opens(rig) for _ in range(3)]
    for ids in tickets if not written else ():
        _sends(rig, side, ids, WORDS[2])  # so that its readers know that the log is full
    backup = rig.simulator(side.other).snapshot()
    rig.wait(seconds=7)  # as no timezone shifts it
    for ids in tickets:
        picture = rig.agent(side).paste_image(REQUEST, ids[side], "s.png", "image/png", PICTURE)
        rig.agent(side).note(REQUEST, ids[side], f"<p>{WORDS[0]} {picture}</p>")
        _says(rig, side, ids, WORDS[1])
        rig.agent(side).attach(REQUEST, ids[side], "a.txt", "text/plain", b"a")
    rig.settle(2)

    def there() -> list[list[tuple[str, bytes]]]:
        return [sorted((file.filename, file.data) for file in _files(rig, side.other, ids)) for ids in tickets]

    before = there()
    rig.simulator(side.other).restore(backup)
    rig.wait(minutes=10)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(2)
    links = [rig.link(ids[Side.EXTERNAL]) for ids in tickets]
    told = {obstacle.reason for link in links for obstacle in link.obstacles if obstacle.parked}
    assert told != {COPIES_GONE} if written else told == {COPIES_GONE}
    assert [len(files) for files in there()] == [not written] * 3
    for link in links:
        rig.store.links.amend(link.id, lambda known: retried(known, rig.now), rig.now)
        rig.settle(2)
    assert [[data for _, data in files] for files in there()] == [[data for _, data in files] for files in before]
    assert compared(rig) == []
    assert rig.store.links.troubled(10) == ()


@pytest.mark.parametrize("side", list(Side))
def test_those_that_people_delete_on_several_tickets_on_several_days_are_not_made_again(rig: Rig, side: Side) -> None:
    tickets = [_opens(rig) for _ in range(3)]
    for ids in tickets:
        rig.agent(side.other).delete_attachment(_sends(rig, side, ids, WORDS[0]))
        rig.settle(2)
    rig.engine.cycle(CycleKind.SWEEP)
    for ids in tickets:
        _says(rig, side, ids, WORDS[1])
    rig.settle(2)
    assert [len(_files(rig, side.other, ids)) for ids in tickets] == [1] * 3
    assert rig.store.links.troubled(10) == ()


def test_a_file_of_which_the_store_knows_nothing_never_arrived(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = _opens(rig)
    file = _sends(rig, Side.EXTERNAL, ids, *WORDS[:2])
    link = rig.link(ids[Side.EXTERNAL])
    rig.store.links.amend(link.id, lambda known: replace(known, base=replace(known.base, notes={})), rig.now)
    rig.operator.delete_attachment(file)
    monkeypatch.setattr(plan, "plan_link", lambda link, *_, **__: Plan(link))
    assert [difference.partition(": entry ")[2] for difference in compared(rig)] == [
        f"{place} of private_log has no mirror on internal" for place in (1, 2)
    ]


def test_a_server_that_says_so_itself_gets_the_words_in_a_files_name(tmp_path: Path) -> None:
    class Roomy(Limits):
        log_bytes: ClassVar[int] = 200_000

    rig = Rig(tmp_path, limits=Roomy())
    ids = _opens(rig)
    rig.operator.fill_log(REQUEST, ids[Side.INTERNAL])
    _says(rig, Side.EXTERNAL, ids, *WORDS[:2])
    rig.settle(2)
    (name,) = [file.filename for file in _files(rig, Side.INTERNAL, ids)]
    assert name.startswith("log-is-full-notes-20261124-")
    assert compared(rig) == []
    rig.stop()


@pytest.mark.parametrize("state", ["assigned", "closed"])
def test_a_server_that_says_so_itself_tells_it_too_where_the_file_goes_at_once(rig: Rig, state: str) -> None:
    ids = _opens(rig)
    if state == "closed":
        for stimulus, values in (("ev_assign", TEAM), ("ev_resolve", RESOLVED), ("ev_close", {"user_satisfaction": "1"})):
            rig.customer.stimulus(REQUEST, ids[Side.EXTERNAL], stimulus, **values)
        rig.settle(2)
    rig.operator.fill_log(REQUEST, ids[Side.INTERNAL])
    _says(rig, Side.EXTERNAL, ids, *WORDS[:2])
    if state == "assigned":
        rig.customer.stimulus(REQUEST, ids[Side.EXTERNAL], "ev_assign", **TEAM)
    rig.sync()
    assert rig.internal.ticket(REQUEST, ids[Side.INTERNAL])["status"] == state
    (name,) = [file.filename for file in _files(rig, Side.INTERNAL, ids)]
    assert name.startswith("log-is-full-notes-20261124-")
    rig.settle(2)
    assert compared(rig) == []
