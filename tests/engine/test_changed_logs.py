"""The logs that are paired, or their order, are changed: a copy is known wherever its marker stands."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from itopsync.engine import linking, plan
from itopsync.engine.rebuild import rebuild
from itopsync.engine.store_guard import remember_classes
from itopsync.errors import BadQuery, Maintenance, SafetyStop, StoreError
from itopsync.itop.server import Server
from itopsync.model import Ref, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.copied import Bridge
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.rules import LogRule
from itopsync.simulator import FaultKind
from itopsync.simulator.caselog import CaseLog
from itopsync.store.records import CycleKind, CycleOutcome
from tests.engine.rig import Rig
from tests.engine.verifying import compared, excused, verified

PRIVATE, PUBLIC = LogRule(), LogRule("public_log", "public_log")
INWARDS, OUTWARDS = LogRule("public_log", "private_log"), LogRule("private_log", "public_log")
"""What is public there is private here, and the other way round."""
STRAIGHT, CROSSED = (PRIVATE, PUBLIC), (OUTWARDS, INWARDS)
LOGS = ("private_log", "public_log")


def _pair_logs(rig: Rig, *logs: LogRule) -> None:
    """Configure other logs, and start anew."""
    rules = rig.configuration.rules
    classes = tuple(replace(cls, logs=logs) if cls.external == "UserRequest" else cls for cls in rules.classes)
    rig.configuration = replace(rig.configuration, rules=replace(rules, classes=classes))
    rig.restart()


def _all_agree(rig: Rig) -> bool:
    return all(result.agrees for result in verified(rig))


def _is_in_maintenance(server: Server, *_: object) -> int:
    raise Maintenance(server.side, "in maintenance")


def _fails(server: Server, *_: object) -> int:
    raise BadQuery(server.side, "Error: MySQL server has gone away")


def _open_three(rig: Rig) -> None:
    for number in range(3):
        rig.customer.create("UserRequest", title=f"No. {number}", private_log="<p>One</p>")


def _lose_the_store(rig: Rig) -> None:
    rig.stop()
    for path in rig.folder.glob("store.sqlite*"):
        path.unlink()
    rig.start()


@pytest.fixture
def both(rig: Rig) -> Rig:
    _pair_logs(rig, PRIVATE, PUBLIC)
    return rig


def test_links_stay_what_they_are_where_the_order_of_logs_changes(both: Rig) -> None:
    _open_three(both)
    both.sync()
    _pair_logs(both, PUBLIC, PRIVATE)
    both.customer.note("UserRequest", 1, "<p>Two</p>")
    both.sync()
    both.settle()
    assert both.differences() == []
    assert compared(both) == []
    assert len(both.internal.tickets()) == 3


def test_a_copy_whose_marker_stands_in_none_of_the_logs_is_told(both: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    _open_three(both)
    both.sync()
    monkeypatch.setattr(plan, "plan_link", lambda link, *_, **__: Plan(link))  # the planner would stop at it
    both.internal.store.put({**both.internal.ticket("UserRequest", both.copy_of(1)), "private_log": CaseLog(())})
    said = "external:UserRequest:1: internal: no entry of private_log or public_log has the link's marker"
    assert [what for what in compared(both) if "link's marker" in what] == [said]


def test_a_create_without_an_answer_is_found_in_the_log_that_came_first_then(both: Rig) -> None:
    both.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], accounts=["sync"], times=3)
    _open_three(both)
    both.sync()
    _pair_logs(both, PUBLIC, PRIVATE)
    both.settle()
    assert len(both.internal.tickets()) == 3
    assert both.differences() == []


def test_a_lost_store_is_told_and_found_again_where_the_order_of_logs_changed(both: Rig) -> None:
    _open_three(both)
    both.sync()
    _pair_logs(both, PUBLIC, PRIVATE)
    _lose_the_store(both)
    with pytest.raises(StoreError, match="itopsync rebuild"):
        both.engine.cycle()
    assert len(list(rebuild(both.inspector))) == 3
    both.sync()
    both.settle()
    assert len(both.internal.tickets()) == 3
    assert both.differences() == []


def test_a_log_in_which_copies_are_marked_must_stay_paired(rig: Rig) -> None:
    _open_three(rig)
    rig.sync()
    _pair_logs(rig, PUBLIC)
    with pytest.raises(StoreError, match=r"copies of UserRequest bear their markers in private_log.*Put it back"):
        rig.engine.cycle()
    _pair_logs(rig, PUBLIC, PRIVATE)
    rig.settle()
    assert rig.differences() == []


@pytest.fixture
def turned(both: Rig) -> Rig:
    """One copy bears its marker in the log that came first then, another in the one that does since."""
    both.customer.create("UserRequest", title="Older", private_log="<p>One</p>")
    both.sync()
    _pair_logs(both, PUBLIC, PRIVATE)
    both.customer.create("UserRequest", title="Younger", private_log="<p>One</p>")
    both.sync()
    return both


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize(("left", "gone"), [(PUBLIC, "private_log"), (PRIVATE, "public_log")])
def test_so_must_every_log_in_which_a_copy_is_marked(turned: Rig, left: LogRule, gone: str, lost: bool) -> None:
    """Not only the one that came first last; also where the store was lost since."""
    if lost:
        _lose_the_store(turned)
        assert len(list(rebuild(turned.inspector))) == 2
    _pair_logs(turned, left)
    for number in (1, 2):
        turned.customer.note("UserRequest", number, "<p>Two</p>")
        turned.operator.note("UserRequest", turned.copy_of(number), "<p>Two</p>", "public_log")
    with pytest.raises(StoreError, match=rf"copies of UserRequest bear their markers in {gone}, which.*Put it back"):
        turned.engine.cycle()
    with pytest.raises(StoreError, match=rf"bear their markers in {gone}, which"):
        turned.inspector.preview()
    _pair_logs(turned, PRIVATE, PUBLIC)
    turned.settle()
    assert _all_agree(turned)
    assert len(turned.internal.tickets()) == 2


@pytest.mark.parametrize(("left", "known"), [(PUBLIC, "public_log"), (PRIVATE, "private_log,public_log")])
def test_a_log_that_came_first_once_may_go_where_no_copy_is_marked_in_it(both: Rig, left: LogRule, known: str) -> None:
    """Also where copies may be of a class that has no such log; what no server could answer is asked again."""
    both.sync()
    _pair_logs(both, PUBLIC, PRIVATE)
    both.sync()
    remember_classes(both.store, both.configuration.rules.for_external("UserRequest"), ["Problem"])
    _pair_logs(both, left)
    _open_three(both)
    both.sync()
    assert len(both.internal.tickets()) == 3
    assert both.store.facts.get("logs:UserRequest") == known


def test_one_bad_answer_forgets_no_log_in_which_copies_are_marked(turned: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    _pair_logs(turned, PUBLIC)
    with monkeypatch.context() as patched:
        patched.setattr(Server, "count", _fails)
        with suppress(SafetyStop):
            turned.engine.cycle()
    with pytest.raises(StoreError, match="bear their markers in private_log"):
        turned.engine.cycle()


def test_internal_that_does_not_say_whether_one_is_marked_in_it_is_waited_for(
    turned: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pair_logs(turned, PUBLIC)
    turned.customer.note("UserRequest", 1, "<p>Two</p>")
    with monkeypatch.context() as patched:
        patched.setattr(Server, "count", _is_in_maintenance)
        report = turned.engine.cycle()
    assert (report.outcome, [*report.problems]) == (CycleOutcome.UNAVAILABLE, [Side.INTERNAL])
    with pytest.raises(StoreError, match="bear their markers in private_log"):
        turned.engine.cycle()
    _pair_logs(turned, PUBLIC, PRIVATE)
    turned.sync()
    turned.settle()
    assert _all_agree(turned)


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize("marked", [False, True])
def test_what_stands_in_a_log_that_is_paired_after_a_link_by_hand_stays(rig: Rig, history: bool, marked: bool) -> None:
    """Also where the log is paired before the link's mark is written, and after a lost store."""
    rig.sync()
    number = rig.customer.create("UserRequest", title="Printer", public_log="<p>Theirs</p>", start_date="2026-01-01 00:00:00")
    other = rig.operator.create("UserRequest", title="Printer", public_log="<p>Nobody else's business</p>")
    refs = Ref(Side.EXTERNAL, "UserRequest", number), Ref(Side.INTERNAL, "UserRequest", other)
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=Bridge() if history else None))
    if marked:
        rig.settle(3)
    _pair_logs(rig, PRIVATE, PUBLIC)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(3)
    _lose_the_store(rig)
    assert len(list(rebuild(rig.inspector))) == 1
    rig.settle(3)
    rig.customer.update("UserRequest", number, public_log="<p>Hello?</p>")
    rig.operator.update("UserRequest", other, public_log="<p>Here</p>")
    rig.settle(3)
    there, here = (
        rig.external.ticket("UserRequest", number)["public_log"],
        rig.internal.ticket("UserRequest", other)["public_log"],
    )
    assert [len(there), len(here)] == [3, 3]
    assert "business" not in "".join(entry.text for entry in there)
    assert "Theirs" not in "".join(entry.text for entry in here)


def _write_everywhere(rig: Rig, word: str) -> list[tuple[Side, str, str]]:
    """People of both sides write into each log, also where it is not paired; return what: the side, the log, the word."""
    written = []
    for side, agent, number in ((Side.EXTERNAL, rig.customer, 1), (Side.INTERNAL, rig.operator, rig.copy_of(1))):
        for log in LOGS:
            rig.wait(seconds=5)
            agent.note("UserRequest", number, f"<p>{word}-{side}-{log}</p>", log)
            written.append((side, log, f"{word}-{side}-{log}"))
    return written


def _standing(rig: Rig, side: Side, word: str) -> list[str]:
    """The logs of *side*'s ticket in which *word* stands, as often as it does."""
    number = side.pick(1, rig.copy_of(1))
    ticket = rig.simulator(side).ticket("UserRequest", number)
    return [log for log in LOGS for entry in ticket[log] if word in entry.text]


@pytest.mark.parametrize(
    "pairings",
    [
        (STRAIGHT, CROSSED, STRAIGHT),
        (CROSSED, STRAIGHT, CROSSED),
        ((INWARDS,), STRAIGHT),
        ((OUTWARDS,), STRAIGHT),
        ((INWARDS,), (PRIVATE,), STRAIGHT),
        ((PRIVATE,), (INWARDS,), STRAIGHT),
        ((PRIVATE,), STRAIGHT, (INWARDS,), CROSSED),
    ],
)
def test_a_note_stays_where_it_was_carried_when_its_log_gets_another_partner(
    rig: Rig, pairings: tuple[tuple[LogRule, ...], ...]
) -> None:
    """Once, and no more, also where the former partner is not read any more; what comes later goes by the new pairing."""
    _pair_logs(rig, *pairings[0])
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    paired: dict[tuple[Side, str], str] = {}
    carried: dict[tuple[Side, str, str], str] = {}
    written: list[tuple[Side, str, str]] = []
    for step, logs in enumerate(pairings):
        written += _write_everywhere(rig, f"late-{step}") if step else []  # not carried yet when the configuration changes
        _pair_logs(rig, *logs)
        written += _write_everywhere(rig, f"word-{step}")
        rig.sync()
        rig.engine.cycle(CycleKind.SWEEP)
        rig.settle(2)
        paired = {(side, log.of(side)): log.of(side.other) for log in logs for side in Side}
        carried = {each: paired[each[:2]] for each in written if each[:2] in paired} | carried
        assert {each: _standing(rig, each[0].other, each[2]) for each in carried} == {
            each: [into] for each, into in carried.items()
        }
        assert _all_agree(rig)
    held = [why for _, why in excused(rig) if "another partner" in why]
    assert len(held) == sum(paired.get(each[:2], into) != into for each, into in carried.items())


@pytest.mark.parametrize(("before", "after"), [(INWARDS, PRIVATE), (PRIVATE, INWARDS)])
def test_entries_of_a_log_that_is_read_no_more_do_not_seem_to_be_rewritten(rig: Rig, before: LogRule, after: LogRule) -> None:
    _pair_logs(rig, before)
    for _ in range(rig.configuration.rules.limits.rewritten + 1):
        rig.customer.create("UserRequest", title="Printer", private_log="<p>One</p>", public_log="<p>Two</p>")
    rig.sync()
    _pair_logs(rig, after)
    rig.engine.cycle(CycleKind.SWEEP)
    assert _all_agree(rig)


@pytest.mark.parametrize("pairings", [(CROSSED, STRAIGHT), (STRAIGHT, CROSSED), ((INWARDS,), STRAIGHT)])
def test_so_it_does_after_a_lost_store(rig: Rig, pairings: tuple[tuple[LogRule, ...], ...]) -> None:
    """Where both logs are paired: there the markers tell."""
    _pair_logs(rig, *pairings[0])
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    written = [each for each in _write_everywhere(rig, "word") if each[1] in {log.of(each[0]) for log in pairings[0]}]
    rig.settle(2)
    before = {word: _standing(rig, side.other, word) for side, _, word in written}
    _pair_logs(rig, *pairings[1])
    _lose_the_store(rig)
    assert len(list(rebuild(rig.inspector))) == 1
    rig.settle(2)
    rig.engine.cycle(CycleKind.SWEEP)
    assert {word: _standing(rig, side.other, word) for side, _, word in written} == before
    assert {len(logs) for logs in before.values()} == {1}
    assert _all_agree(rig)


@pytest.mark.parametrize("history", [False, True])
def test_nor_is_it_carried_again_by_who_links_the_two_again(rig: Rig, history: bool) -> None:
    _pair_logs(rig, *CROSSED)
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    written = _write_everywhere(rig, "word")
    rig.settle(2)
    refs = Ref(Side.EXTERNAL, "UserRequest", 1), Ref(Side.INTERNAL, "UserRequest", rig.copy_of(1))
    rig.store.links.amend(rig.link(1).id, lambda link: by_hand.unlinked(link, rig.now, notice=True), rig.now)
    rig.settle(2)
    _pair_logs(rig, *STRAIGHT)
    joined = linking.compare(rig.inspector, *refs, history=Bridge() if history else None)
    assert joined.notes == {}
    linking.join(rig.pair, joined)
    rig.settle(3)
    assert [_standing(rig, side.other, word) for side, _, word in written] == [
        [other] for _, log, _ in written for other in LOGS if other != log
    ]
    assert _all_agree(rig)


@pytest.mark.parametrize("before", [INWARDS, OUTWARDS])
@pytest.mark.parametrize("history", [False, True])
def test_what_stands_in_the_new_partner_of_a_log_after_a_link_by_hand_stays(rig: Rig, before: LogRule, history: bool) -> None:
    _pair_logs(rig, before)
    rig.sync()
    number = rig.customer.create("UserRequest", title="Printer", start_date="2026-01-01 00:00:00")
    other = rig.operator.create("UserRequest", title="Printer")
    refs = Ref(Side.EXTERNAL, "UserRequest", number), Ref(Side.INTERNAL, "UserRequest", other)
    late = {side: next(log for log in LOGS if log != before.of(side)) for side in Side}
    rig.customer.note("UserRequest", number, "<p>theirs</p>", late[Side.EXTERNAL])
    rig.operator.note("UserRequest", other, "<p>business</p>", late[Side.INTERNAL])
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=Bridge() if history else None))
    rig.settle(3)
    _pair_logs(rig, *STRAIGHT)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(3)
    _lose_the_store(rig)
    assert len(list(rebuild(rig.inspector))) == 1
    rig.settle(3)
    assert _standing(rig, Side.EXTERNAL, "business") == _standing(rig, Side.INTERNAL, "theirs") == []
    written = _write_everywhere(rig, "word")
    rig.settle(2)
    assert [_standing(rig, side.other, word) for side, _, word in written] == [[log] for _, log, _ in written]
    assert _all_agree(rig)
