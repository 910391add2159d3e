"""What one ticket holds is that ticket's trouble, however odd it is: the others go on in the same cycle, and a person is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from itopsync import logs
from itopsync.engine import apply, observe, plan
from itopsync.errors import SafetyStop
from itopsync.model import LinkStatus, Side
from itopsync.simulator import FaultKind, Simulator
from tests.engine.rig import Rig
from tests.engine.verifying import excused
from tests.transport import SimulatorTransport

SECRET = "The password is hunter2"
Row = dict[str, Any]


@dataclass
class OddRig(Rig):
    """A rig whose external server shows single tickets otherwise than it holds them."""

    odd: dict[int, Callable[[Row], object]] = field(default_factory=dict)
    """Ticket → what becomes of its row."""
    refused: list[str] = field(default_factory=list)
    """What internal takes no create with."""

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        through = SimulatorTransport(simulator)
        odd, refused = self.odd, self.refused

        def reply(request: httpx.Request) -> httpx.Response:
            asked = request.read().decode("utf-8", "replace")
            if simulator is self.internal and "core/create" in asked and any(text in asked for text in refused):
                return httpx.Response(200, json={"code": 100, "message": "Error: that is too odd"}, headers={"Date": "x"})
            answer = through.handle_request(request)
            if simulator is not self.external or not odd or b'"objects":{' not in answer.read():
                return answer
            document = answer.json()
            for row in document["objects"].values():
                if row["class"] == "UserRequest" and int(row["key"]) in odd:
                    odd[int(row["key"])](row)
            return httpx.Response(200, json=document, headers={"Date": answer.headers["Date"]})

        return httpx.MockTransport(reply)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[OddRig]:
    made = OddRig(tmp_path)
    yield made
    made.stop()


def _opened(rig: Rig, count: int, **fields: Any) -> list[int]:
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}", **fields) for n in range(count)]
    rig.sync()
    rig.settle()
    return numbers


def _ask(rig: Rig, numbers: list[int]) -> None:
    for number in numbers:
        rig.customer.note("UserRequest", number, "<p>Any news?</p>")


def _arrived(rig: Rig, number: int) -> bool:
    return any("Any news?" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number)))


def _carry_dates(rig: Rig, zone: str) -> None:
    """Let start_date be carried, into a server in another timezone."""
    rules = rig.configuration.rules
    (request,) = (cls for cls in rules.classes if cls.external == "UserRequest")
    dates = replace(request, fields=(*request.fields, *(cls for cls in _planned(rules.classes) if cls.external == "start_date")))
    internal = replace(rules.internal, timezone=ZoneInfo(zone))
    rules = replace(rules, internal=internal, classes=tuple(dates if cls is request else cls for cls in rules.classes))
    server = rig.configuration.internal.model_copy(update={"timezone": ZoneInfo(zone)})
    rig.configuration = replace(rig.configuration, rules=rules, internal=server)
    rig.internal.timezone = zone
    rig.restart()


def _planned(classes: Any) -> Any:
    (change,) = (cls for cls in classes if cls.external == "NormalChange")
    return change.state.companions["plannedscheduled"]


# dates


@pytest.mark.parametrize(
    ("date", "carried"),
    [("0202-05-01 08:00:00", "0202-04-30"), ("9999-12-31 23:59:59", ""), ("1000-01-01 00:00:00", "0999-12-31"), ("", "")],
)
def test_a_date_of_any_year_holds_up_nothing_and_is_carried_or_told(rig: OddRig, date: str, carried: str) -> None:
    _carry_dates(rig, "Pacific/Kiritimati" if date.startswith("9") else "America/New_York")
    odd, *others = _opened(rig, 4)
    rig.customer.update("UserRequest", odd, start_date=date or None, title="Urgent")
    _ask(rig, [odd, *others])
    report = rig.sync()
    assert report.problems == {}
    assert all(_arrived(rig, number) for number in (odd, *others))
    copy = rig.internal.ticket("UserRequest", rig.copy_of(odd))
    assert copy["title"] == "Urgent"
    parked = [(obstacle.key, obstacle.reason) for obstacle in rig.link(odd).obstacles]
    if carried or not date:
        assert str(copy["start_date"] or "").startswith(carried)
        assert parked == []
    else:
        assert parked == [
            ("field:start_date", "the date 9999-12-31T16:59:59Z cannot be carried: it is none that the other server could hold")
        ]
        rig.sync()
        assert any("Not carried: start_date (the date 9999" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(odd)))


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("date", ["9999-12-31 23:59:59", "0001-01-01 00:00:00"])
def test_a_last_change_of_any_year_holds_up_nothing(rig: OddRig, side: Side, date: str) -> None:
    odd, *others = _opened(rig, 4)
    _ask(rig, others)
    simulator, number = (rig.external, odd) if side is Side.EXTERNAL else (rig.internal, rig.copy_of(odd))
    row = simulator.store.get("UserRequest", number)
    assert row is not None
    simulator.store.put({**row, "last_update": date})
    report = rig.sync()
    assert report.problems == {}
    assert all(_arrived(rig, number) for number in others)
    assert not rig.link(odd).in_doubt


@pytest.mark.parametrize("date", ["9999-12-31 23:59:59", "0001-01-01 00:00:00"])
def test_a_new_ticket_with_an_odd_date_is_copied_without_it(rig: OddRig, date: str) -> None:
    _carry_dates(rig, "Pacific/Kiritimati")
    number = rig.customer.create("UserRequest", title="Printer", description="<p>It blinks</p>")
    rig.odd[number] = lambda row: row["fields"].update(start_date=date) if "start_date" in row["fields"] else None
    assert rig.sync().outcome == "troubled"
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert "It blinks" in copy["description"]
    rig.settle()
    assert [obstacle.key for obstacle in rig.link(number).obstacles] == ["field:start_date"]


def test_a_date_that_the_server_refuses_does_not_keep_a_copy_from_being_made(rig: OddRig) -> None:
    _carry_dates(rig, "Europe/Paris")
    rig.refused.append('"start_date":')
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    assert rig.link(number).status is LinkStatus.LINKED
    assert rig.differences() == []


def test_a_date_before_all_time_is_no_date_of_another_format(rig: OddRig) -> None:
    first, *others = _opened(rig, 5)
    rig.odd[first] = lambda row: row["fields"].update(start_date="0001-01-01 00:00:00")
    _ask(rig, [first, *others])
    assert rig.sync().problems == {}
    assert all(_arrived(rig, number) for number in (first, *others))


def test_another_format_of_dates_is_told_of_the_whole_side(rig: OddRig) -> None:
    numbers = _opened(rig, 3)
    rig.external.date_format = "d/m/Y H:i"
    _ask(rig, numbers)
    report = rig.sync()
    assert "Set date_format of external" in report.problems[Side.EXTERNAL]
    assert all(rig.link(number).obstacles == () for number in numbers)


# rows

ODD_ROWS: dict[str, Callable[[Row], object]] = {
    "no log": lambda row: row["fields"].update(private_log=None),
    "no fields": lambda row: row.update(fields="Nothing to see here"),
    "no class": lambda row: row.pop("class"),
    "a log of texts": lambda row: row["fields"].update(private_log={"entries": [SECRET]}),
    "no last change": lambda row: row["fields"].update(last_update=SECRET),
}


@pytest.mark.parametrize("odd", ODD_ROWS)
def test_a_row_of_an_unknown_shape_is_its_ticket_s_trouble(rig: OddRig, odd: str) -> None:
    stream = StringIO()
    logs.configure(stream=stream, json_lines=True)
    first, *others = _opened(rig, 5)
    _ask(rig, [first, *others])
    rig.odd[first] = ODD_ROWS[odd]
    assert rig.sync().problems == {}
    assert all(_arrived(rig, number) for number in others)
    (obstacle,) = rig.link(first).obstacles
    assert (obstacle.key, obstacle.tries) == ("ticket", 1)
    assert SECRET not in stream.getvalue() + obstacle.reason
    failed = [json.loads(line) for line in stream.getvalue().splitlines() if '"ticket failed"' in line]
    assert all(line["level"] == "error" and "Traceback" in line["exception"] for line in failed)
    rig.odd.clear()
    rig.settle()
    assert rig.link(first).obstacles == ()
    assert rig.differences() == []


def test_an_odd_ticket_is_parked_in_the_end_and_the_poll_goes_on(rig: OddRig) -> None:
    first, other = _opened(rig, 2)
    rig.odd[first] = lambda row: row.update(fields=[])
    for number in range(20):
        if number % 10 == 0:
            _ask(rig, [first, other])
        assert rig.sync().problems == {}
        rig.wait(minutes=10)
    (obstacle,) = rig.link(first).obstacles
    assert obstacle.parked
    cursor = rig.store.polls.side(Side.EXTERNAL).cursor
    assert cursor is not None
    assert rig.now - cursor < timedelta(minutes=15)


def test_an_entry_without_a_date_is_carried(rig: OddRig) -> None:
    first, *others = _opened(rig, 3)
    _ask(rig, [first, *others])

    def undated(row: Row) -> None:
        for entry in row["fields"].get("private_log", {}).get("entries", ()):
            entry["date"] = ""

    rig.odd[first] = undated
    assert rig.sync().problems == {}
    assert all(_arrived(rig, number) for number in (first, *others))


def test_an_entry_without_a_date_stays_in_for_good_once_a_prefix_kept_it_in(rig: OddRig) -> None:
    """As iTop shows what a CSV import put into a log: any change of the ticket moves the time that is guessed for it."""
    rules = rig.configuration.rules
    rig.configuration = replace(rig.configuration, rules=replace(rules, keep_internal=("#internal", "#staff")))
    rig.restart()
    (number,) = _opened(rig, 1)
    copy = rig.copy_of(number)
    rig.internal.faults.add(FaultKind.UNDATED, probability=1.0, classes=["UserRequest"])
    rig.operator.note("UserRequest", copy, "<p>#staff He pays late</p>")
    rig.sync()
    rig.configuration = replace(rig.configuration, rules=replace(rules, keep_internal=("#internal",)))
    rig.restart()
    rig.wait(hours=30)
    rig.operator.update("UserRequest", copy, urgency="1")
    rig.settle(2)
    assert rig.texts(Side.EXTERNAL, number) == []
    assert "it is kept in internal" in [why for _, why in excused(rig)]


# whatever else


def _breaks(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, number: Callable[[Any], bool]) -> None:
    works = getattr(place, name)

    def broken(*arguments: Any, **more: Any) -> Any:
        if number(arguments):
            raise LookupError(SECRET)
        return works(*arguments, **more)

    monkeypatch.setattr(place, name, broken)


@pytest.mark.parametrize("where", ["planning", "planning again", "writing"])
def test_a_fault_of_ours_that_one_ticket_brings_out_waits_and_is_parked(
    rig: OddRig, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    stream = StringIO()
    logs.configure(stream=stream, json_lines=True)
    first, *others = _opened(rig, 5)
    _ask(rig, [first, *others])
    with monkeypatch.context() as patched:
        if where == "writing":
            _breaks(patched, apply, "execute", lambda given: given[1].link.external.id == first)
        else:
            place = plan if where == "planning" else apply
            _breaks(patched, place, "plan_link", lambda given: given[0].external.id == first)
        assert rig.sync().problems == {}
        assert all(_arrived(rig, number) for number in others)
        obstacles = rig.link(first).obstacles
        assert [obstacle.tries for obstacle in obstacles] == [1]
        assert "LookupError in test_odd_data" in obstacles[0].reason
        assert SECRET not in stream.getvalue() + obstacles[0].reason
        (line,) = [json.loads(text) for text in stream.getvalue().splitlines() if '"ticket failed"' in text]
        assert (line["level"], line["ticket"]) == ("error", f"external:UserRequest:{first}")
        assert line["exception"].endswith("builtins.LookupError")
        assert list(rig.inspector.verify())
        if where != "planning again":  # what was written before it is not undone by trying again
            rig.settle(20)
            assert any(obstacle.parked for obstacle in rig.link(first).obstacles)
    rig.store.links.amend(rig.link(first).id, lambda link: replace(link, obstacles=(), due_at=rig.now), rig.now)
    rig.settle()
    assert rig.differences() == []


def test_a_copy_that_brings_out_a_fault_is_not_made_twice(rig: OddRig, monkeypatch: pytest.MonkeyPatch) -> None:
    number = rig.customer.create("UserRequest", title="Lost")
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], times=1)
    rig.sync()
    rig.internal.faults.clear()
    rig.wait(minutes=10)
    with monkeypatch.context() as patched:
        _breaks(patched, observe, "is_copy", lambda _: True)
        assert rig.sync().problems == {}
    assert len(rig.internal.tickets()) == 1
    assert rig.link(number).in_doubt
    rig.settle()
    assert (len(rig.internal.tickets()), rig.differences()) == (1, [])


# another ticket, or the same


def test_a_corrected_beginning_stops_nothing(rig: OddRig) -> None:
    first, other = _opened(rig, 2)
    rig.customer.update("UserRequest", first, start_date="2026-12-01 08:00:00", title="Planned, and called otherwise")
    _ask(rig, [first, other])
    assert rig.sync().outcome == "well"
    assert _arrived(rig, first)
    assert _arrived(rig, other)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"])
def test_a_corrected_timezone_stops_nothing(rig: OddRig, zone: str) -> None:
    numbers = _opened(rig, 3)
    rules = rig.configuration.rules
    right = rig.configuration.external.model_copy(update={"timezone": ZoneInfo(zone)})
    rig.configuration = replace(
        rig.configuration, external=right, rules=replace(rules, external=replace(rules.external, timezone=ZoneInfo(zone)))
    )
    rig.external.timezone = zone
    rig.restart()
    _ask(rig, numbers)
    assert rig.sync().problems == {}
    assert all(_arrived(rig, number) for number in numbers)
    assert all(rig.link(number).status is LinkStatus.LINKED for number in numbers)


def test_another_ticket_under_a_known_id_and_number_stops_the_cycle_and_is_parked(rig: OddRig) -> None:
    backup = rig.external.snapshot()
    (number,) = _opened(rig, 1)
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>#none of your business</p>")
    rig.sync()
    rig.external.restore(backup)
    rig.wait(days=1)
    assert rig.customer.create("UserRequest", title="Of somebody else") == number
    with pytest.raises(SafetyStop) as stop:
        rig.sync()
    assert stop.value.kind == "replaced"
    rig.engine.cycle(accept={"replaced"})
    assert rig.link(number).status is LinkStatus.PARKED
    rig.customer.note("UserRequest", number, "<p>Hello?</p>")
    assert rig.sync().problems == {}
    assert rig.texts(Side.EXTERNAL, number)[1:] == []
