"""A month's report: what arrived, when and whose delay it was; the same in every format, and whatever was changed is found."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from itopsync.evidence import files
from itopsync.evidence.formats import Format, closing, words
from itopsync.evidence.lines import COLUMNS, Figures, Frame, arrivals
from itopsync.model import STATE, BySide, Side
from itopsync.reconcile.rules import Limits
from itopsync.store.records import ActivityRecord, RequestKind, RequestState
from itopsync.store.store import Store
from tests.engine.rig import RESOLVED, TEAM, Rig
from tests.store.making import add_linked, external, internal
from tests.store.template import fresh

ZONES = BySide(ZoneInfo("Asia/Jakarta"), ZoneInfo("Europe/Paris"))
MINUTE = timedelta(minutes=1)
WORDS = ("Quokka", "Wombat", "Numbat")


def frame(made: datetime, month: str = "2026-11") -> Frame:
    return Frame("demo", month, made, ZONES, BySide("Customer desk", "Operations"), timedelta(days=90))


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A month in which internal was away for a while, and a file was too large; to be read only."""
    made = _lived(tmp_path_factory.mktemp("month"))
    yield made
    made.stop()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """The same month, to go on with."""
    made = _lived(tmp_path)
    yield made
    made.stop()


def _lived(folder: Path) -> Rig:
    made = Rig(folder, limits=Limits(file_size=20_000))
    number = made.customer.create("UserRequest", title=WORDS[0], service_id=1)
    made.sync()
    made.customer.create("Incident", title=WORDS[0])
    made.sync()
    copy = made.copy_of(number)
    made.operator.note("UserRequest", copy, f"<p>{WORDS[1]}</p>")
    made.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    made.sync()
    made.customer.attach("UserRequest", number, f"{WORDS[2]}.bin", "application/octet-stream", bytes(20_001))
    made.sync()
    made.internal.maintenance = True
    made.customer.note("UserRequest", number, f"<p>{WORDS[1]}</p>")
    for _ in range(5):
        made.sync()
    made.internal.maintenance = False
    made.sync()
    made.operator.stimulus("UserRequest", copy, "ev_resolve", **RESOLVED)
    made.sync()
    return made


def written(rig_or_store: Rig | Store, form: Format, made: datetime | None = None, month: str = "2026-11") -> bytes:
    store, now = (rig_or_store.store, rig_or_store.now) if isinstance(rig_or_store, Rig) else (rig_or_store, made)
    out = io.BytesIO()
    assert now is not None
    files.write(store, frame(made or now, month), form, out)
    return out.getvalue()


def lines(store: Rig | Store, made: datetime | None = None, month: str = "2026-11") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(written(store, Format.JSON, made, month))["lines"]
    return found


def figures(told: list[dict[str, Any]]) -> dict[str, Any]:
    return {line["what"]: line.get("value", line.get("seconds")) for line in told if line["part"] == "figure"}


def checked(rig: Rig, file: bytes) -> files.Checked:
    return files.check(rig.store, io.BytesIO(file), lambda month, made: frame(made, month))


# what it tells


def test_every_arrival_is_told_on_both_clocks_with_whose_delay_it_was(past: Rig) -> None:
    told = [line for line in lines(past) if line["part"] == "arrival"]
    assert [(line["external"], line["what"], line["side"]) for line in told] == [
        ("R-000001", "ticket", "internal"),
        ("R-000001", "state assigned, note", "external"),
        ("R-000001", "notice", "internal"),
        ("R-000001", "note", "internal"),
        ("R-000001", "state resolved", "external"),
        ("I-000002", "ticket", "internal"),
    ]
    note = told[3]
    assert (note["since_external"], note["at_internal"]) == ("2026-11-24 10:08:00+07:00", "2026-11-24 04:19:00+01:00")
    assert (note["seconds"], note["internal_down"], note["bridge"]) == (660.0, 600.0, 60.0)


def test_the_figures_are_what_the_store_says_when_counted_anew(past: Rig) -> None:
    told = lines(past)
    counted, writes = figures(told), past.store.activity.latest(1_000)
    done = [each for each in writes if each.outcome == "done"]
    ages = sorted(each.age.total_seconds() for each in done if each.age is not None)
    assert counted["tickets that something was carried for"] == len({each.link for each in done})
    assert counted["of these new"] == sum(each.action == "create" for each in done)
    assert counted["not taken by internal: refused"] == sum(each.outcome == "refused" for each in writes)
    assert counted["arrivals with a known delay"] == len(ages)
    assert counted["arrivals without a known delay"] == len(done) - len(ages)
    assert counted["all within"] == ages[-1]
    assert counted["half of them within"] == ages[(len(ages) - 1) // 2]
    assert sum(value for name, value in counted.items() if name.startswith("delay in all")) == pytest.approx(sum(ages))
    assert counted["in the month: internal down"] == 600.0
    assert (counted["parked in the month"], counted["still parked at its end"]) == (1, 1)


def test_what_was_away_and_what_is_parked_is_told(past: Rig) -> None:
    told = lines(past)
    (outage,) = [line for line in told if line["part"] == "outage"]
    assert (outage["side"], outage["what"], outage["seconds"]) == ("internal", "down", 600.0)
    (parked,) = [line for line in told if line["part"] == "parked"]
    assert (parked["external"], parked["what"]) == ("R-000001", "file")
    assert "at_external" not in parked


def test_the_last_verification_is_told_or_that_there_is_none(rig: Rig) -> None:
    assert figures(lines(rig))["last verify"] == "none is kept"
    number = rig.store.requests.ask(RequestKind.VERIFY, "anna", rig.now)
    rig.store.requests.take(number, rig.now)
    rig.store.requests.finish(number, RequestState.DONE, "2 of 2 linked tickets agree.", rig.now)
    rig.wait(minutes=1)
    assert figures(lines(rig))["last verify"] == "2 of 2 linked tickets agree."


def test_what_the_store_does_not_keep_is_said(past: Rig) -> None:
    def notes(made: datetime) -> str:
        return " ".join(line["what"] for line in lines(past.store, made) if line["part"] == "note")

    assert "How far a server's clock was ahead of it is not kept" in notes(past.now)
    assert "is kept no longer" not in notes(past.now)
    assert "What was written before 2026-12-01 01:00 is kept no longer" in notes(datetime(2027, 3, 1, tzinfo=UTC))


def test_a_month_is_one_of_internals_timezone(tmp_path: Path) -> None:
    store = Store.open(fresh(f"sqlite:///{tmp_path}/s.sqlite"))
    link = add_linked(store, external(1), internal(1))
    first = datetime(2026, 10, 31, 23, 0, tzinfo=UTC)  # midnight in Paris
    for moment in (
        first - timedelta(seconds=1),
        first,
        datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC),
        datetime(2026, 11, 30, 23, tzinfo=UTC),
    ):
        record = ActivityRecord(moment, link.id, Side.EXTERNAL, "state", "done", (STATE,), MINUTE, moment)
        store.links.save(link, now=moment, live=True, activity=[record])
    made = datetime(2026, 12, 5, tzinfo=UTC)
    assert [line["at_internal"] for line in lines(store, made) if line["part"] == "arrival"] == [
        "2026-11-01 00:00:00+01:00",
        "2026-11-30 23:59:59+01:00",
    ]
    assert len([line for line in lines(store, made, "2026-12") if line["part"] == "arrival"]) == 1
    store.close()


def test_a_refusal_of_the_month_before_still_counts(tmp_path: Path) -> None:
    store = Store.open(fresh(f"sqlite:///{tmp_path}/s.sqlite"))
    link = add_linked(store, external(1), internal(1))
    begin = frame(datetime(2026, 12, 5, tzinfo=UTC)).begin
    refused = ActivityRecord(begin - 60 * MINUTE, link.id, Side.INTERNAL, "write", "refused", (STATE,), None, begin)
    arrived = ActivityRecord(begin + MINUTE, link.id, Side.INTERNAL, "write", "done", (STATE,), 71 * MINUTE, begin)
    store.links.save(link, now=begin, live=True, activity=[refused, arrived])
    told = figures(lines(store, datetime(2026, 12, 5, tzinfo=UTC)))
    assert (told["delay in all: internal refused"], told["delay in all: bridge"]) == (61 * 60, 10 * 60)
    assert "not taken by internal: refused" not in told
    store.close()


@pytest.mark.parametrize("form", Format)
def test_no_word_of_a_ticket_is_in_it(past: Rig, form: Format) -> None:
    text = written(past, form).decode()
    assert "R-000001" in text
    assert [word for word in (*WORDS, "sync-password") if word.lower() in text.lower()] == []


# its formats


def test_csv_and_json_tell_the_same(past: Rig) -> None:
    *rows, last = csv.DictReader(io.StringIO(written(past, Format.CSV).decode()))
    assert tuple(last) == COLUMNS
    assert last["part"] == "checksum"
    assert rows == [{name: str(line.get(name, "")) for name in COLUMNS} for line in lines(past)]


def test_the_page_stands_by_itself_and_tells_every_line(past: Rig) -> None:
    page = written(past, Format.HTML).decode()
    assert not re.search(r"<script|<link|src=|href=|@import|url\(", page)
    assert page.count("<tr><td>") == len(lines(past))
    assert "internal down 0:10:00, bridge 0:01:00" in page


def test_what_a_label_holds_is_no_markup_of_the_page(past: Rig) -> None:
    out = io.BytesIO()
    files.write(past.store, replace(frame(past.now), labels=BySide("<b>&", "Operations")), Format.HTML, out)
    assert b"&lt;b&gt;&amp;" in out.getvalue()
    assert b"<b>" not in out.getvalue()


# held against the store


@pytest.mark.parametrize("form", Format)
def test_a_report_is_what_the_store_says(past: Rig, form: Format) -> None:
    found = checked(past, written(past, form))
    assert (found.sealed, found.same, found.only_file, found.only_store) == (True, True, [], [])


@pytest.mark.parametrize("form", Format)
def test_a_changed_figure_is_found_in_a_changed_file(past: Rig, form: Format) -> None:
    before, after = {
        Format.HTML: ("0:11:00", "0:01:11"),
        Format.CSV: (",660.0", ",60.0"),
        Format.JSON: ('"seconds": 660.0', '"seconds": 60.0'),
    }[form]
    file = written(past, form).decode()
    assert before in file
    found = checked(past, file.replace(before, after).encode())
    assert (found.sealed, found.same) == (False, False)
    assert all(after in line for line in found.only_file)
    assert len(found.only_file) == len(found.only_store) > 0


@pytest.mark.slow
@pytest.mark.parametrize("form", Format)
def test_a_changed_store_is_told_from_a_changed_file(rig: Rig, form: Format) -> None:
    file = written(rig, form)
    rig.store.activity.prune(datetime(2026, 11, 24, 3, 3, tzinfo=UTC))
    found = checked(rig, file)
    assert (found.sealed, found.same) == (True, False)
    assert any("ticket" in line for line in found.only_file)


@pytest.mark.slow
@pytest.mark.parametrize("form", Format)
def test_what_happens_later_changes_nothing(rig: Rig, form: Format) -> None:
    file = written(rig, form)
    rig.customer.create("UserRequest", title="Another")
    rig.internal.maintenance = True
    rig.sync()
    rig.internal.maintenance = False
    rig.settle()
    assert checked(rig, file).same


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize(
    "change", [lambda file: file + b"\n", lambda file: b" " + file, lambda file: file.replace(b"sha256=", b"sha256=0", 1)[:-1]]
)
def test_a_change_of_no_figure_is_one_too(past: Rig, form: Format, change: Any) -> None:
    file = change(written(past, form))
    found = checked(past, file)
    assert (found.sealed, found.same) == (False, False)


def sealed(file: bytes, form: Format) -> bytes:
    """A file with its checksum made anew, as anybody can."""
    found = re.search(rb"itopsync-report .* sha256=", file)
    assert found is not None
    lines = file.splitlines(keepends=True)
    (at,) = [number for number, line in enumerate(lines) if found[0] in line]
    before, about = b"".join(lines[:at]), found[0].decode()
    digest = hashlib.sha256(f"{hashlib.sha256(before).hexdigest()} {about}".encode()).hexdigest()
    return before + closing(form, about + digest).encode()


def twice(file: bytes) -> bytes:
    return b"".join(line * (1 + (b"R-000001" in line)) for line in file.splitlines(keepends=True))


def backwards(file: bytes) -> bytes:
    *lines, last = file.splitlines(keepends=True)
    return b"".join((*lines[:2], *reversed(lines[2:]), last))


def changing(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(file: bytes) -> bytes:
        assert old in file
        return file.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    ("form", "change", "told"),
    [
        *((form, twice, "R-000001") for form in Format),
        *((form, backwards, None) for form in Format),
        (Format.HTML, changing(b"<tr><td>R-000001", b'<tr style="display:none"><td>R-000001'), "<tr style="),
        (Format.HTML, changing(b'<table class="arrival">', b'<img src="data:,"><table hidden class="arrival">'), "<img src="),
        (Format.HTML, changing(b"<body>", b'<body><script src="https://example.com/x.js"></script>'), "<script src="),
        (Format.HTML, changing(b"<h2>What was parked", b"<!-- <h2>What was parked"), "<!-- "),
    ],
)
def test_a_forged_file_is_found_though_its_checksum_is_right(past: Rig, form: Format, change: Any, told: str | None) -> None:
    file = written(past, form)
    assert sealed(file, form) == file
    forged = sealed(change(file), form)
    found = checked(past, forged)
    assert (found.sealed, found.same) == (True, False)
    if told is not None:
        assert any(told in line for line in found.only_file)


@pytest.mark.parametrize("form", Format)
def test_what_stands_after_the_end_is_told(past: Rig, form: Format) -> None:
    found = checked(past, written(past, form) + b"All late items were external's fault.\n\x1b[2J\n")
    assert (found.sealed, found.same, found.only_store) == (False, False, [])
    assert found.only_file == ["All late items were external's fault.", "\\x1b[2J"]


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"hello",
        *(
            b"itopsync-report month=2026-11 made=%s format=html itopsync=1 sha256=%s" % (made, b"0" * 64)
            for made in (b"x", b"2026-11-30", b"9999-12-31T23:59:59+00:00")
        ),
    ],
)
def test_another_file_is_none(past: Rig, file: bytes) -> None:
    with pytest.raises(files.NoReport):
        checked(past, file)


def test_a_line_is_told_in_words() -> None:
    assert words("<tr><td>a &amp; b</td><td>2</td></tr>\n") == "a & b 2"
    assert words("\n") == "(an empty line)"
    assert words("<tr hidden><td>a</td></tr>\r\n") == r"<tr hidden><td>a</td></tr>\r"


# very many


@pytest.mark.slow
def test_memory_does_not_grow_with_the_links(tmp_path: Path) -> None:
    """Of each arrival eight bytes are kept, and what one part of the rows takes."""
    store = Store.open(fresh(f"sqlite:///{tmp_path}/s.sqlite"))
    link = add_linked(store, external(1), internal(1))
    made = datetime(2026, 12, 5, tzinfo=UTC)
    begin = frame(made).begin

    def fill(first: int, last: int) -> int:
        several = [
            ActivityRecord(
                begin + number * timedelta(seconds=1), number, Side.INTERNAL, "create", "done", (STATE,), MINUTE, begin
            )
            for number in range(first, last)
        ]
        store.links.save(link, now=begin, live=True, activity=several)
        tracemalloc.start()
        count = sum(1 for _ in arrivals(store, frame(made), Figures()))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == last - 1
        return peak

    few, many = fill(1, 2_000), fill(2_000, 7_000)
    assert many - few < 200_000
    store.close()
