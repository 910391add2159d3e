"""Servers that are down, tickets that do not fit, and things that show up late: the rest goes on, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest

from itopsync.engine import stops
from itopsync.engine.story import explain
from itopsync.errors import SafetyStop
from itopsync.model import LinkStatus, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.rules import Limits
from itopsync.simulator import AccessMode, FaultKind
from itopsync.simulator.refusals import Refusal
from itopsync.simulator.writing import Writer
from tests.engine.rig import PICTURE, TEAM, Rig
from tests.engine.verifying import compared


def _opens(rig: Rig, title: str = "Printer", **fields: object) -> int:
    return rig.customer.create("UserRequest", title=title, **fields)


def test_maintenance_uses_up_no_retries_and_loses_nothing(rig: Rig) -> None:
    number = _opens(rig)
    rig.internal.maintenance = True
    for _ in range(12):
        report = rig.sync()
        assert report.outcome == "unavailable"
        assert "maintenance" in report.problems[Side.INTERNAL]
    rig.internal.maintenance = False
    rig.settle(1)
    assert rig.link(number).status is LinkStatus.LINKED
    assert rig.differences() == []


def test_a_server_in_read_only_mode_parks_nothing(rig: Rig) -> None:
    numbers = [_opens(rig, f"No. {n}") for n in range(5)]
    rig.internal.access_mode = AccessMode.READ_ONLY
    for _ in range(12):
        rig.sync()
    rig.internal.access_mode = AccessMode.FULL
    rig.settle(2)
    assert all(rig.link(number).obstacles == () for number in numbers)
    assert rig.differences() == []


def test_one_side_that_is_down_does_not_keep_the_other_from_being_polled(rig: Rig) -> None:
    number = _opens(rig)
    rig.sync()
    rig.internal.faults.add(FaultKind.LOST_BEFORE, accounts=["sync"])
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    assert rig.sync().outcome == "unavailable"
    rig.internal.faults.clear()
    rig.wait(days=1)
    rig.settle(1)
    assert rig.differences() == []


def test_a_ticket_that_internal_refuses_holds_up_nobody_else(rig: Rig) -> None:
    poisoned = _opens(rig, "x" * 255)
    rig.internal.faults.add(FaultKind.HUGE_ERROR, verbs=["core/create"], times=1)
    fine = _opens(rig, "Fine")
    rig.sync()
    assert {rig.link(poisoned).internal is None, rig.link(fine).internal is None} == {True, False}
    rig.settle()
    assert rig.differences() == []


def test_a_refusal_that_quotes_the_ticket_is_neither_stored_nor_shown(rig: Rig) -> None:
    number = _opens(rig, "Secret plan", description="<p>Very secret</p>")
    rig.internal.faults.add(FaultKind.HUGE_ERROR, verbs=["core/create"])
    rig.sync()
    (obstacle,) = rig.link(number).obstacles
    assert "ecret" not in obstacle.reason
    assert len(obstacle.reason) < 400


def test_a_refusal_in_words_that_nobody_foresaw_names_no_ticket_and_nobody(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    number = _opens(rig, "Payroll server", description="<p>It is <b>Durand</b>'s</p>")
    rig.customer.note("UserRequest", number, "<p>Ask Müller, please</p>")
    rig.sync()
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)

    def refuse(*_: object, **__: object) -> None:
        raise Refusal("Payroll server of Durand and Müller, told by Alice, cannot be assigned: two work orders are open")

    monkeypatch.setattr(Writer, "apply_stimulus", refuse)
    rig.sync()
    (obstacle,) = rig.link(number).obstacles
    assert obstacle.reason.endswith("is refused: … … of … and …, told by …, cannot be assigned: two work orders are open")


def test_an_action_that_is_refused_is_parked_with_its_reason_and_told_once(rig: Rig) -> None:
    number = _opens(rig)
    rig.sync()
    file = rig.customer.attach("UserRequest", number, "huge.bin", "application/octet-stream", bytes(20_000_001))
    rig.customer.note("UserRequest", number, "<p>See the file</p>")
    rig.sync()
    for _ in range(3):
        rig.sync()
    copy = rig.copy_of(number)
    told = [text for text in rig.texts(Side.INTERNAL, copy) if f"attachment {file} of external" in text]
    assert len(told) == 1
    assert "See the file" in "".join(rig.texts(Side.INTERNAL, copy))
    assert "attachment" not in "".join(rig.texts(Side.EXTERNAL, number))


def test_a_description_of_65535_characters_arrives(rig: Rig) -> None:
    number = _opens(rig, description="<p>" + "x" * 65_528 + "</p>")
    rig.sync()
    rig.sync()
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert copy["description"] == rig.external.ticket("UserRequest", number)["description"]


def test_a_full_log_lets_the_rest_of_the_ticket_go_on(rig: Rig) -> None:
    number = _opens(rig)
    rig.sync()
    copy = rig.copy_of(number)
    rig.operator.fill_log("UserRequest", copy)
    rig.customer.note("UserRequest", number, "<p>One more</p>")
    rig.customer.update("UserRequest", number, title="Still moving")
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.sync()
    rig.settle()
    after = rig.internal.ticket("UserRequest", copy)
    assert (after["title"], after["status"]) == ("Still moving", "assigned")


class Roomy(Limits):
    """We think that there is room in every log."""

    log_bytes: ClassVar[int] = 200_000


@pytest.mark.parametrize("named", [True, False])
def test_of_two_logs_only_the_one_that_is_full_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """The database names the column, which an extension may have called otherwise."""
    both = "".join(f'[[logs]]\nexternal = "{log}"\ninternal = "{log}"\n' for log in ("private_log", "public_log"))
    rig = Rig(tmp_path, both, Roomy())
    if not named:
        monkeypatch.setattr("itopsync.itop.answers.LOG_INDEX", "index")  # so that what is left is the name of no log
    number = _opens(rig)
    rig.sync()
    copy = rig.copy_of(number)
    rig.operator.fill_log("UserRequest", copy)
    rig.customer.update("UserRequest", number, private_log="<p>To the full one</p>", public_log="<p>To the other</p>")
    rig.sync()
    rig.settle()
    after = rig.internal.ticket("UserRequest", copy)
    assert any("To the other" in entry.text for entry in after["public_log"])
    assert [b"To the full one" in attachment["contents"].data for attachment in after["attachments"]] == [True]
    full = {obstacle.key for obstacle in rig.link(number).obstacles}
    assert "log:internal:private_log" in full
    assert not any("public" in key for key in full)
    rig.stop()


def test_a_history_too_long_for_one_create_is_joined(rig: Rig) -> None:
    number = _opens(rig)
    for n in range(380):
        rig.customer.note("UserRequest", number, f"<p>Entry {n:03}.</p>")
    rig.sync()
    joined = "".join(rig.texts(Side.INTERNAL, rig.copy_of(number)))
    assert all(joined.count(f"Entry {n:03}.") == 1 for n in range(380))


def test_a_draft_is_carried_when_it_is_bound(rig: Rig) -> None:
    number = _opens(rig)
    rig.sync()
    draft = rig.customer.draft("later.txt", "text/plain", b"later")
    rig.sync()
    rig.wait(hours=3)
    rig.sync()
    rig.customer.bind(draft, "UserRequest", number)
    rig.sync()
    assert len(rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"]) == 1
    assert rig.differences() == []


def test_a_large_upload_that_shows_up_after_a_later_small_one_is_carried(rig: Rig) -> None:
    number = _opens(rig)
    rig.sync()
    rig.external.faults.add(FaultKind.LATE_UPLOAD, times=1, seconds=200)
    rig.customer.attach("UserRequest", number, "large.bin", "application/octet-stream", b"large")
    rig.customer.attach("UserRequest", number, "small.txt", "text/plain", b"small")
    for _ in range(6):
        rig.sync()
    assert len(rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"]) == 2
    assert rig.differences() == []


def test_two_changes_within_one_second_are_both_carried(rig: Rig) -> None:
    number = _opens(rig)
    rig.sync()
    rig.settle()
    rig.wait(minutes=1)
    rig.customer.note("UserRequest", number, "<p>First</p>")
    seen = False

    def second(where: str) -> None:
        nonlocal seen
        if not seen and where == "before:core/update":
            seen = True
            rig.customer.note("UserRequest", number, "<p>Second</p>")

    rig.probe = second
    rig.engine.cycle()
    assert seen
    rig.wait(minutes=2)
    rig.engine.cycle()
    assert "Second" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(number)))


@pytest.mark.parametrize("beside", ["a look", "a write of ours"])
def test_a_change_in_the_second_of_a_look_or_a_write_arrives_with_the_next_poll(rig: Rig, beside: str) -> None:
    number = _opens(rig)
    rig.sync()
    rig.settle()
    side, who = (Side.EXTERNAL, rig.customer) if beside == "a look" else (Side.INTERNAL, rig.operator)
    rig.customer.note("UserRequest", number, "<p>First</p>")
    rig.engine.cycle()
    who.note("UserRequest", number if side is Side.EXTERNAL else rig.copy_of(number), "<p>Second</p>")
    rig.wait(seconds=5)
    rig.engine.cycle()
    there = rig.copy_of(number) if side is Side.EXTERNAL else number
    assert "Second" in "".join(rig.texts(side.other, there))


@pytest.mark.parametrize("late", [60, 600, 4_000])
def test_a_second_change_within_one_second_that_shows_up_late_is_found_when_the_overlap_ends(rig: Rig, late: int) -> None:
    number = _opens(rig)
    rig.sync()
    rig.settle(1)
    rig.customer.update("UserRequest", number, title="Scanner")
    rig.external.faults.add(FaultKind.LATE_COMMIT, times=1, seconds=late)
    rig.customer.note("UserRequest", number, "<p>Second</p>")
    rig.engine.cycle()
    for _ in range(16):  # 80 minutes of polls
        rig.wait(minutes=5)
        rig.engine.cycle()
    assert "Second" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(number)))


def test_a_ticket_that_is_gone_leaves_a_tombstone_and_the_other_untouched(rig: Rig) -> None:
    number = _opens(rig)
    rig.sync()
    copy = rig.copy_of(number)
    rig.customer.delete("UserRequest", number)
    rig.operator.note("UserRequest", copy, "<p>Anybody there?</p>")
    before = rig.internal.ticket("UserRequest", copy)
    rig.sync()
    assert rig.link(number).status is LinkStatus.TOMBSTONE
    assert rig.internal.ticket("UserRequest", copy) == before
    rig.settle()
    assert len(rig.internal.tickets()) == 1


def test_a_side_that_suddenly_shows_nothing_stops_the_cycle(rig: Rig) -> None:
    numbers = [_opens(rig, f"No. {n}") for n in range(20)]
    rig.sync()
    rig.settle()
    for number in numbers:
        rig.customer.note("UserRequest", number, "<p>Hello</p>")
    rig.internal.faults.add(FaultKind.BLIND, accounts=["sync"], verbs=["core/get"])
    with pytest.raises(SafetyStop):
        rig.sync()
    rig.internal.faults.clear()
    rig.settle()
    assert len(rig.internal.tickets()) == 20
    assert rig.differences() == []


@pytest.mark.parametrize("side", list(Side))
def test_a_side_that_shows_nothing_stops_the_cycle_however_few_tickets_are_linked(rig: Rig, side: Side) -> None:
    number = _opens(rig)
    _opens(rig)
    rig.sync()
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    blind = rig.simulator(side).faults.add(FaultKind.BLIND, accounts=["sync"], verbs=["core/get"])
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>Hello</p>")
    with pytest.raises(SafetyStop, match=f"{side} shows our account no ticket at all"):
        rig.sync()
    rig.simulator(side).faults.remove(blind)
    rig.settle()
    assert rig.link(number).status is LinkStatus.LINKED
    assert rig.differences() == []


def test_a_copy_that_cannot_be_seen_is_not_made_again(rig: Rig) -> None:
    _opens(rig)
    rig.internal.faults.add(FaultKind.LOST_AFTER, accounts=["sync"], verbs=["core/create"], times=1)
    rig.sync()
    rig.internal.faults.add(FaultKind.BLIND, accounts=["sync"], verbs=["core/get"])
    rig.wait(minutes=10)
    with pytest.raises(SafetyStop, match="no organisation at all"):
        rig.sync()
    rig.internal.faults.clear()
    rig.settle()
    assert len(rig.internal.tickets()) == 1
    assert rig.differences() == []


def test_the_last_tickets_of_a_side_that_are_really_gone_can_be_let_through(rig: Rig) -> None:
    number, other = _opens(rig), _opens(rig)
    rig.sync()
    for gone in (number, other):
        rig.operator.delete("UserRequest", rig.copy_of(gone))
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    with pytest.raises(SafetyStop, match=r"than before\? Look at .*itopsync accept missing"):
        rig.sync()
    rig.engine.cycle(accept=["missing"])
    assert rig.link(number).status is LinkStatus.TOMBSTONE


def test_the_story_of_a_ticket_tells_of_the_stop_that_is_about_it(rig: Rig) -> None:
    number, other = _opens(rig), _opens(rig)
    rig.sync()
    for gone in (number, other):
        rig.operator.delete("UserRequest", rig.copy_of(gone))
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    with pytest.raises(SafetyStop, match="itopsync accept missing"):
        rig.sync()
    (planned,) = rig.inspector.inspect([rig.link(number)])
    assert "itopsync accept missing" in explain(rig.pair, planned).stopped
    stops.note(rig.store, stops.Stop("missing", "of another ticket", rig.now, frozenset({"missing 99"})))
    assert explain(rig.pair, planned).stopped == ""


def test_before_the_first_good_cycle_only_the_side_that_fails_now_has_a_problem(rig: Rig) -> None:
    rig.external.faults.add(FaultKind.HTML_500)
    rig.sync()
    rig.external.faults.clear()
    rig.internal.faults.add(FaultKind.HTML_500)
    rig.sync()
    problems = {side: rig.store.polls.side(side).problem for side in Side}
    assert problems[Side.EXTERNAL] is None
    assert "HTTP 500" in (problems[Side.INTERNAL] or "")


def test_too_many_new_tickets_stop_the_cycle_until_they_are_let_through(rig: Rig) -> None:
    for n in range(201):
        _opens(rig, f"No. {n}")
    with pytest.raises(SafetyStop) as stop:
        rig.sync()
    assert rig.internal.tickets() == []
    rig.wait(minutes=1)
    rig.engine.cycle(accept={stop.value.kind})
    assert len(rig.internal.tickets()) == 201


def test_a_restored_backup_stops_the_cycle(rig: Rig) -> None:
    for n in range(12):
        _opens(rig, f"No. {n}")
    backup = rig.external.snapshot()
    more = [_opens(rig, f"More {n}") for n in range(12)]
    rig.sync()
    rig.settle()
    rig.external.restore(backup)
    rig.wait(days=1)
    for number in more:
        assert _opens(rig, "Another ticket by now") == number
    with pytest.raises(SafetyStop):
        rig.sync()


def test_a_picture_in_the_first_entry_of_a_new_ticket_is_seen_where_it_stood(rig: Rig) -> None:
    number = _opens(rig)
    picture = rig.customer.paste_image("UserRequest", number, "s.png", "image/png", PICTURE)
    rig.customer.update("UserRequest", number, description=f"<p>Look {picture}</p>", private_log=f"<p>Here {picture}</p>")
    rig.sync()
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert "<img" in copy["description"]
    assert "<img" in copy["private_log"][-1].text
    assert rig.differences() == []


def test_the_dry_run_shows_what_would_be_written_and_writes_nothing(rig: Rig) -> None:
    _opens(rig)
    shown, _ = rig.inspector.preview()
    assert [len(planned.plan.actions) for planned in shown] == [1]
    assert rig.written() == 0
    assert rig.store.links.get([1]) == ()


def test_one_who_deletes_very_many_files_holds_up_nobody_else(rig: Rig) -> None:
    many, other = _opens(rig, "Many"), _opens(rig, "Other")
    files = [rig.customer.attach("UserRequest", many, f"{n}.txt", "text/plain", b"a") for n in range(51)]
    rig.sync()
    rig.settle(1)
    for file in files:
        rig.customer.delete_attachment(file)
    for number in (many, other):
        rig.customer.note("UserRequest", number, "<p>Hello</p>")
    rig.sync()
    rig.settle(2)
    copies = {number: rig.internal.ticket("UserRequest", rig.copy_of(number)) for number in (many, other)}
    assert len(copies[many]["attachments"]) == 51
    assert all(any("Hello" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number))) for number in copies)
    assert Counter(obstacle.key.kind for obstacle in rig.link(many).obstacles) == {"deletions": 1, "gone": 51}
    assert sum("deletion of files" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(many))) == 1
    assert compared(rig) == []

    rig.store.links.amend(rig.link(many).id, lambda link: by_hand.retried(link, rig.now), rig.now)
    rig.settle(1)
    assert rig.internal.ticket("UserRequest", rig.copy_of(many))["attachments"] == []
    assert rig.link(many).obstacles == ()
    written = rig.written()
    rig.settle(1)
    assert rig.written() == written


def test_a_clock_that_is_set_back_holds_up_no_write_of_unknown_outcome(rig: Rig) -> None:
    rig.internal.faults.add(FaultKind.LOST_AFTER, accounts=["sync"], verbs=["core/create"], times=1)
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    assert rig.link(number).in_doubt
    rig.wait(hours=-24)
    rig.sync()
    due, landing = rig.link(number).due_at, rig.pair.rules.limits.landing
    assert due is not None
    assert due <= rig.now + landing
    rig.wait(seconds=landing.total_seconds() + 1)
    rig.sync()
    assert not rig.link(number).in_doubt
    assert len(rig.internal.tickets()) == 1
