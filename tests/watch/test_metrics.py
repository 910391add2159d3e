"""What Prometheus is told agrees with what was done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from itopsync.errors import SafetyStop
from itopsync.itop.server import Server
from itopsync.simulator import FaultKind
from itopsync.store.records import CycleKind
from itopsync.watch.metrics import Metrics
from itopsync.watch.textfile import Textfile
from tests.engine.rig import TEAM, Rig
from tests.transport import SimulatorTransport
from tests.watch.conftest import TOO_LARGE

Values = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def metrics(rig: Rig) -> Metrics:
    return Metrics("demo", lambda: rig.now)


def values(text: str) -> Values:
    """Every sample by its name and the values of its labels but the pair's."""
    return {
        (sample.name, tuple(value for name, value in sorted(sample.labels.items()) if name != "pair")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def shown(metrics: Metrics) -> Values:
    return values(generate_latest(metrics.registry).decode())


def cycle(rig: Rig, metrics: Metrics) -> Values:
    """Run one, as it is watched."""
    rig.wait(minutes=1)
    metrics.cycle_ended(CycleKind.POLL, rig.engine.cycle())
    metrics.look(rig.store)
    return shown(metrics)


def test_cycles_writes_links_and_both_sides_are_told(rig: Rig, metrics: Metrics) -> None:
    rig.customer.create("UserRequest", title="Printer")
    told = cycle(rig, metrics)
    assert told["itopsync_cycles_total", ("poll", "well")] == 1  # labels in the order of their names: kind, outcome
    assert told["itopsync_cycle_seconds_count", ("poll",)] == 1
    assert told["itopsync_writes_total", ("create", "done", "internal")] == 1
    assert told["itopsync_links", ("linked",)] == 1
    assert told["itopsync_links", ("waiting",)] == 0
    assert (told["itopsync_side_up", ("external",)], told["itopsync_side_up", ("internal",)]) == (1, 1)
    assert told["itopsync_last_good_cycle_timestamp_seconds", ()] == rig.now.timestamp()
    assert told["itopsync_stopped", ()] == 0


@pytest.mark.parametrize("minutes", [3, 40])
def test_freshness_is_the_time_from_the_change_to_its_arrival(rig: Rig, metrics: Metrics, minutes: int) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    cycle(rig, metrics)
    rig.settle()
    before = shown(metrics)
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>On our way</p>")
    rig.wait(minutes=minutes - 1)
    after = cycle(rig, metrics)
    assert after["itopsync_freshness_seconds_count", ("external",)] == 1
    assert after["itopsync_freshness_seconds_sum", ("external",)] == pytest.approx(minutes * 60, abs=1)
    assert after["itopsync_freshness_seconds_count", ("internal",)] == before["itopsync_freshness_seconds_count", ("internal",)]


def test_freshness_of_a_state_is_that_of_its_ticket(rig: Rig, metrics: Metrics) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    cycle(rig, metrics)
    rig.operator.stimulus("UserRequest", rig.copy_of(number), "ev_assign", **TEAM)
    rig.wait(minutes=9)
    told = cycle(rig, metrics)
    assert told["itopsync_writes_total", ("state", "done", "external")] == 1
    assert told["itopsync_freshness_seconds_sum", ("external",)] == pytest.approx(600, abs=1)


def test_a_file_has_no_freshness(rig: Rig, metrics: Metrics) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    before = cycle(rig, metrics)
    rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    after = cycle(rig, metrics)
    assert after["itopsync_writes_total", ("upload", "done", "internal")] == 1
    assert after["itopsync_freshness_seconds_count", ("internal",)] == before["itopsync_freshness_seconds_count", ("internal",)]


def test_a_side_that_is_down_lags_from_cycle_to_cycle(rig: Rig, metrics: Metrics) -> None:
    cycle(rig, metrics)
    good = rig.now
    rig.internal.maintenance = True
    polled = ("itopsync_side_last_good_poll_timestamp_seconds", ("internal",))
    assert [rig.now.timestamp() - cycle(rig, metrics)[polled] for _ in range(3)] == [0, 60, 120]
    told = shown(metrics)
    assert told["itopsync_side_last_good_poll_timestamp_seconds", ("external",)] == rig.now.timestamp()
    assert told["itopsync_side_up", ("internal",)] == 0
    assert told["itopsync_cycles_total", ("poll", "unavailable")] == 3
    assert told["itopsync_side_last_good_poll_timestamp_seconds", ("internal",)] == good.timestamp()
    assert told["itopsync_last_good_cycle_timestamp_seconds", ()] == good.timestamp()


def test_what_does_not_get_across_is_counted_as_parked_or_waiting(rig: Rig, metrics: Metrics) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    cycle(rig, metrics)
    rig.customer.attach("UserRequest", number, "huge.bin", "application/octet-stream", bytes(TOO_LARGE))
    assert cycle(rig, metrics)["itopsync_items", ("parked",)] == 1
    rig.internal.faults.add(FaultKind.HTML_500, verbs=["core/update"])
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    told = cycle(rig, metrics)
    assert (told["itopsync_items", ("parked",)], told["itopsync_items", ("waiting",)]) == (1, 1)
    assert told["itopsync_writes_total", ("write", "unknown", "internal")] == 1
    assert told["itopsync_links_in_doubt", ()] == 1


def test_a_safety_stop_is_counted_by_its_limit_and_what_is_due_is_dirty(rig: Rig, metrics: Metrics) -> None:
    for n in range(201):
        rig.customer.create("UserRequest", title=f"No. {n}")
    with pytest.raises(SafetyStop) as stop:
        rig.sync()
    metrics.cycle_ended(CycleKind.POLL, stop.value)
    metrics.look(rig.store)
    told = shown(metrics)
    assert told["itopsync_safety_stops_total", ("creations",)] == 1
    assert told["itopsync_cycles_total", ("poll", "stopped")] == 1
    assert told["itopsync_stopped", ()] == 1
    assert told["itopsync_links_dirty", ()] == told["itopsync_links", ("waiting",)] == 201


def test_calls_are_counted_by_what_was_answered_and_so_are_retries(rig: Rig, metrics: Metrics) -> None:
    rig.external.faults.add(FaultKind.LOST_BEFORE, times=1, verbs=["core/get"])
    settings = rig.configuration.external
    with Server(settings, SimulatorTransport(rig.external), sleep=lambda _: None, on_call=metrics.called) as server:
        server.sightings("UserRequest", "1", None)
    told = shown(metrics)
    assert told["itopsync_calls_total", ("ok", "external", "core/get")] == 1
    assert told["itopsync_calls_total", ("Unreachable", "external", "core/get")] == 1
    assert told["itopsync_call_retries_total", ("external", "core/get")] == 1
    assert told["itopsync_call_seconds_count", ("external", "core/get")] == 2


def test_every_metric_bears_the_pair_and_none_a_ticket(rig: Rig, metrics: Metrics) -> None:
    rig.customer.create("UserRequest", title="Printer")
    cycle(rig, metrics)
    families = list(text_string_to_metric_families(generate_latest(metrics.registry).decode()))
    ours = [sample for family in families if family.name.startswith("itopsync_") for sample in family.samples]
    assert {sample.labels["pair"] for sample in ours} == {"demo"}
    allowed = {"pair", "kind", "outcome", "limit", "side", "verb", "result", "action", "hook", "status", "state", "version", "le"}
    assert {name for sample in ours for name in sample.labels} <= allowed
    assert all(family.documentation for family in families)


# the file


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "node-exporter"
    folder.mkdir()
    yield folder / "itopsync.prom"
    assert [file.name for file in folder.iterdir() if file.name != "itopsync.prom"] == []  # nothing is left behind


def test_the_file_counts_on_from_run_to_run(rig: Rig, path: Path) -> None:
    for runs in (1, 2, 3):
        rig.customer.create("UserRequest", title="Printer")
        metrics, file = Metrics("demo", lambda: rig.now), Textfile(path)
        cycle(rig, metrics)
        for _ in range(2):  # a process that writes more than once adds nothing for it
            file.write(metrics.registry)
        told = values(path.read_text())
        assert told["itopsync_cycles_total", ("poll", "well")] == runs
        assert told["itopsync_writes_total", ("create", "done", "internal")] == runs
        assert told["itopsync_freshness_seconds_bucket", ("+Inf", "internal")] >= runs
        assert told["itopsync_links", ("linked",)] == runs  # how things stand is not added up


def test_what_only_an_earlier_run_counted_stays(rig: Rig, path: Path) -> None:
    metrics, file = Metrics("demo", lambda: rig.now), Textfile(path)
    metrics.cycle_ended(CycleKind.POLL, SafetyStop("creations", "too many"))
    file.write(metrics.registry)
    metrics, file = Metrics("demo", lambda: rig.now), Textfile(path)
    cycle(rig, metrics)
    file.write(metrics.registry)
    assert values(path.read_text())["itopsync_safety_stops_total", ("creations",)] == 1


def test_the_file_can_be_read_by_others_and_holds_nothing_of_the_process(rig: Rig, metrics: Metrics, path: Path) -> None:
    Textfile(path).write(metrics.registry)
    assert path.stat().st_mode & 0o777 == 0o644
    assert all(name.startswith("itopsync_") for name, _ in values(path.read_text()))


@pytest.mark.parametrize("rubbish", [b"", b"\xff\xfe", b"no metric {", b'itopsync_cycles_total{pair="demo"} many\n'])
def test_a_file_that_is_none_is_counted_anew(rig: Rig, metrics: Metrics, path: Path, rubbish: bytes) -> None:
    path.write_bytes(rubbish)
    cycle(rig, metrics)
    Textfile(path).write(metrics.registry)
    assert values(path.read_text())["itopsync_cycles_total", ("poll", "well")] == 1


def test_a_file_that_cannot_be_written_leaves_the_one_before(rig: Rig, metrics: Metrics, path: Path) -> None:
    file = Textfile(path)
    file.write(metrics.registry)
    before = path.read_bytes()
    broken = rig.configuration.metrics.model_copy(update={"textfile": path.parent / "missing" / "itopsync.prom"})
    assert broken.textfile is not None
    with pytest.raises(OSError, match="No such file"):
        Textfile(broken.textfile).write(metrics.registry)
    assert path.read_bytes() == before


def test_a_reader_never_sees_half_a_file(rig: Rig, metrics: Metrics, path: Path) -> None:
    file = Textfile(path)
    file.write(metrics.registry)
    held = path.open()
    time.sleep(0)
    cycle(rig, metrics)
    file.write(metrics.registry)
    assert held.read().endswith("\n")  # who had it open reads the old one to its end
    held.close()
    assert values(path.read_text())["itopsync_cycles_total", ("poll", "well")] == 1
