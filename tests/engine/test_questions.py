"""What operators ask, tried: the answers in docs/how-to/questions.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from itopsync.engine.story import Story, explain
from itopsync.model import Side
from itopsync.store.records import CycleKind
from tests.engine.rig import TEAM, Rig
from tests.engine.verifying import compared


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[Rig]]:
    """Rigs of a test's own configuration, ended with it."""
    rigs: list[Rig] = []
    yield rigs
    for rig in rigs:
        rig.stop()


def rig_with(more: str, opened: list[Rig], folder: Path) -> Rig:
    made = Rig(folder, more=more)
    opened.append(made)
    return made


def found(rig: Rig, side: Side, query: str) -> list[int]:
    """What a person finds by OQL."""
    return sorted(row.id for row in rig.server(side).get("Ticket", query, ("id",)).rows)


def story_of(rig: Rig, number: int = 1) -> Story:
    """What ``itopsync show`` tells of a ticket."""
    (planned,) = rig.inspector.inspect([rig.link(number)])
    return explain(rig.pair, planned)


# customers' replies in public logs


def test_replies_in_public_logs_reach_the_public_log_of_the_other_side(tmp_path: Path, opened: list[Rig]) -> None:
    more = "".join(f'[[logs]]\nexternal = "{name}"\ninternal = "{name}"\n' for name in ("private_log", "public_log"))
    rig = rig_with(more, opened, tmp_path)
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.customer.update("UserRequest", number, public_log="<p>Is it coming?</p>")
    rig.operator.update("UserRequest", rig.copy_of(number), public_log="<p>Tomorrow.</p>")
    rig.sync()
    there = rig.internal.ticket("UserRequest", rig.copy_of(number))["public_log"]
    back = rig.external.ticket("UserRequest", number)["public_log"]
    assert "Is it coming?" in there[-1].text
    assert "Tomorrow." in back[-1].text


def test_a_public_log_can_go_into_the_private_log_of_internal_alone(tmp_path: Path, opened: list[Rig]) -> None:
    more = '[[classes.UserRequest.logs]]\nexternal = "public_log"\ninternal = "private_log"\n'
    more += '[classes.UserRequest.rules]\nnotes = "to_internal"\n'
    rig = rig_with(more, opened, tmp_path)
    number = rig.customer.create("UserRequest", title="Printer", public_log="<p>Is it coming?</p>")
    rig.sync()
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>Soon, but between us.</p>")
    rig.sync()
    assert "Is it coming?" in rig.texts(Side.INTERNAL, rig.copy_of(number))[1]
    assert len(rig.external.ticket("UserRequest", number)["public_log"]) == 1
    assert rig.writes(Side.EXTERNAL) == []


# keeping one note internal


@pytest.mark.parametrize(
    "text", ["<p>#internal He pays late</p>", "<p><b>#Internal</b>: old model</p>", "<div><br>#INTERNAL x</div>"]
)
def test_a_note_stays_in_however_the_mark_is_written(rig: Rig, text: str) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.operator.note("UserRequest", rig.copy_of(number), text)
    rig.sync()
    assert rig.texts(Side.EXTERNAL, number) == []


def test_the_mark_in_the_midst_of_a_note_keeps_nothing_in(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>We use #internal for that</p>")
    rig.sync()
    assert "We use #internal" in rig.texts(Side.EXTERNAL, number)[0]


@pytest.mark.parametrize("tags", [("[staff]",), ()])
def test_what_an_earlier_mark_kept_in_stays_in(rig: Rig, tags: tuple[str, ...]) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>#internal He pays late</p>")
    rig.sync()
    rig.wait(minutes=10)
    rules = rig.configuration.rules
    rig.configuration = replace(rig.configuration, rules=replace(rules, keep_internal=tags))
    rig.restart()
    assert compared(rig) == []
    for _ in range(2):
        rig.engine.cycle(CycleKind.SWEEP)
        rig.wait(hours=1)
        rig.restart()
    rig.wait(hours=26)
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>#internal is no mark any more</p>")
    rig.sync()
    (text,) = rig.texts(Side.EXTERNAL, number)
    assert "no mark any more" in text
    rig.configuration = replace(rig.configuration, rules=rules)
    rig.restart()
    assert rig.pair.rules.kept_before == tuple((tag, rig.now + timedelta(hours=26)) for tag in tags)


def test_what_a_mark_keeps_in_is_told_with_the_mark(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    for text in ("# Internal server error since 9:00", "Known to all"):
        rig.operator.note("UserRequest", rig.copy_of(number), f"<p>{text}</p>")
    rig.sync()
    assert len(rig.texts(Side.EXTERNAL, number)) == 1
    why = "by the prefix '#internal'"
    told = [(entry.what, entry.why) for entry in story_of(rig).entries if entry.side is Side.INTERNAL]
    assert told[1:] == [("written here, kept in internal", why), ("written here", "")]
    rig.configuration = replace(rig.configuration, rules=replace(rig.configuration.rules, keep_internal=("#privat",)))
    rig.restart()
    assert f"{why}, which rules.keep_internal listed when it was written, or shortly before" in [
        entry.why for entry in story_of(rig).entries
    ]


def test_a_new_stores_own_marks_are_all_that_keep_anything_in(rig: Rig) -> None:
    rig.configuration = replace(rig.configuration, rules=replace(rig.configuration.rules, keep_internal=("#privat",)))
    rig.restart()
    assert rig.pair.rules.kept_before == ()
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.restart()
    for text in ("#internal is a channel of ours", "#privat He pays late"):
        rig.operator.note("UserRequest", rig.copy_of(number), f"<p>{text}</p>")
    rig.sync()
    (text,) = rig.texts(Side.EXTERNAL, number)
    assert "a channel of ours" in text


def test_a_store_that_knows_tickets_and_no_mark_had_the_default(rig: Rig) -> None:
    rig.sync()
    rig.pair.store.facts.put("keep_internal", None)
    rig.configuration = replace(rig.configuration, rules=replace(rig.configuration.rules, keep_internal=()))
    rig.restart()
    assert [tag for tag, _ in rig.pair.rules.kept_before] == ["#internal"]


# addresses of internal's


def _renamed(rig: Rig, side: Side, address: str) -> None:
    """Restart with another ``public_url`` of *side*."""
    rules = rig.configuration.rules
    rules = rules.with_(side, replace(rules.of(side), public_url=address))
    rig.configuration = replace(rig.configuration, rules=rules)
    rig.restart()


def test_what_was_once_internals_address_never_goes_out(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    for address in ("https://desk.example.com/itop", "https://itsm.example.com/itop", "https://help.example.com"):
        _renamed(rig, Side.INTERNAL, address)
        rig.sync()
    page = "https://desk.example.com/itop/pages/UI.php?operation=details&amp;class=UserRequest&amp;id=4711"
    rig.operator.note("UserRequest", rig.copy_of(number), f'<p>As in {page} and <a href="{page}">there</a></p>')
    rig.sync()
    (text,) = rig.texts(Side.EXTERNAL, number)
    assert "As in [link] and there" in text
    assert compared(rig) == []


def test_verify_tells_an_address_that_went_out_before_it_was_internals(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    for text in ("As in HTTPS://Desk.example.com/itop/", "As in https://desk.example.com/itops"):
        rig.operator.note("UserRequest", rig.copy_of(number), f"<p>{text}</p>")
    rig.sync()
    assert compared(rig) == []
    for address in ("https://desk.example.com/itop", "https://itsm.example.com/itop"):
        _renamed(rig, Side.INTERNAL, address)
        assert compared(rig) == [f"{rig.link(1).external}: external: entry 1 of private_log names an address of internal"]
        rig.sync()


def test_verify_tells_a_files_name_that_went_out_before_an_address_in_it_was_internals(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    copy = rig.copy_of(number)
    names = ("screencapture-desk-example-com-itop-pages-UI-php.png", "desk.example.com_itop2.html")
    files = [rig.operator.attach("UserRequest", copy, name, "image/png", b"a") for name in names]
    rig.sync()
    assert compared(rig) == []
    _renamed(rig, Side.INTERNAL, "https://desk.example.com/itop")
    (told,) = compared(rig)
    of = next(pair.copy_id for pair in rig.link(1).files if pair.original_id == files[0])
    assert told == f"{rig.link(1).external}: external: the name of attachment {of} names an address of internal"


def test_an_address_that_was_internals_and_is_externals_now_may_go(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    for side in (Side.INTERNAL, Side.EXTERNAL):
        _renamed(rig, side, "https://desk.example.com/itop")
        rig.sync()
        _renamed(rig, Side.INTERNAL, "https://itsm.example.com/itop")
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>See https://desk.example.com/itop/pages</p>")
    rig.sync()
    (text,) = rig.texts(Side.EXTERNAL, number)
    assert "See https://desk.example.com/itop/pages" in text


# the other side's ticket


def test_internals_copy_is_found_by_externals_number_and_back(rig: Rig) -> None:
    for title in ("First", "Second"):
        number = rig.customer.create("UserRequest", title=title)
        rig.sync()
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>Hello</p>")
    rig.sync()
    external, internal = (
        simulator.ticket("UserRequest", key)["ref"]
        for simulator, key in ((rig.external, number), (rig.internal, rig.copy_of(number)))
    )
    assert found(rig, Side.INTERNAL, f"SELECT Ticket WHERE private_log LIKE '%{external}%'") == [rig.copy_of(number)]
    assert found(rig, Side.EXTERNAL, f"SELECT Ticket WHERE private_log LIKE '%{internal}%'") == [number]


def test_externals_number_can_stand_in_internals_title(tmp_path: Path, opened: list[Rig]) -> None:
    rig = rig_with('[classes.UserRequest.attributes.title]\ntemplate = "[{number}] {value}"\n', opened, tmp_path)
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    external = rig.external.ticket("UserRequest", number)["ref"]
    assert rig.internal.ticket("UserRequest", rig.copy_of(number))["title"] == f"[{external}] Printer"
    rig.customer.update("UserRequest", number, title="Printer on fire")
    rig.sync()
    assert rig.internal.ticket("UserRequest", rig.copy_of(number))["title"] == f"[{external}] Printer on fire"
    assert rig.external.ticket("UserRequest", number)["title"] == "Printer on fire"


# the incident that iTop cannot move


def test_an_incident_that_itop_cannot_move_goes_on_once_a_person_has_set_its_state(rig: Rig) -> None:
    number = rig.customer.create("Incident", title="Mail is down")
    rig.sync()
    copy = rig.copy_of(number, "Incident")
    rig.operator.stimulus("Incident", copy, "ev_timeout")
    rig.sync()
    rig.customer.stimulus("Incident", number, "ev_assign", **TEAM)
    rig.sync()
    (obstacle,) = rig.link(number, "Incident").obstacles
    assert obstacle.parked
    assert "a person must move it towards 'assigned'" in obstacle.reason
    rig.customer.note("Incident", number, "<p>Still down</p>")
    rig.sync()
    assert "Still down" in rig.texts(Side.INTERNAL, copy, "Incident")[-1]  # the rest goes on
    rig.operator.update("Incident", copy, status="assigned", **TEAM)
    rig.sync()
    assert rig.link(number, "Incident").obstacles == ()
    assert rig.differences() == []
    rig.customer.stimulus("Incident", number, "ev_resolve", solution="x", resolution_code="other", service_id=1)
    rig.sync()
    assert rig.internal.ticket("Incident", copy)["status"] == "resolved"


# a backfill


def test_a_backfill_only_takes_what_began_since_and_all_in_one_create_each(tmp_path: Path, opened: list[Rig]) -> None:
    rig = rig_with("", opened, tmp_path)
    rig.now = rig.now.replace(day=10)
    rig.customer.create("UserRequest", title="Before")
    rig.now = rig.now.replace(day=24)
    rig.customer.create("UserRequest", title="After", private_log="<p>History</p>")
    rig.sync()
    assert [ticket["title"] for ticket in rig.internal.tickets()] == ["After"]
    assert [write.verb for write in rig.writes(Side.INTERNAL)] == ["create"]
