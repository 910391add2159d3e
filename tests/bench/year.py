"""A year of a desk that comes to 200,000 tickets: what its store takes, and what a cycle costs, month by month.

In each month people work on some tickets, through the engine, on the servers' clocks; the month's other tickets are copies of
one of these, put into both servers and the store as rows, with what would be remembered of their writes and of the month's
polls. In between the store is restored from a backup twice, upgraded by way of an older schema, and a server is away for hours.
In the end each note is counted on both servers.
"""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import func, insert, select

from itopsync import config, logs
from itopsync.cli.session import open_store, servers
from itopsync.config import Configuration
from itopsync.engine.engine import Engine
from itopsync.engine.pair import Pair
from itopsync.model import Side
from itopsync.store import migrate, upkeep
from itopsync.store.records import CycleKind
from itopsync.store.store import Store
from itopsync.store.tables import activity, cycle, link
from tests.bench import hosts
from tests.bench.fill import fill
from tests.bench.idle import counted
from tests.bench.measure import Row, Sizes, processor, resident, row
from tests.bench.process import ITOPSYNC, environment
from tests.bench.stage import Stage, stage

BEGIN = datetime(2025, 12, 1, 1, 0, tzinfo=UTC)
SEASON = (8, 9, 10, 10, 9, 8, 5, 6, 10, 11, 8, 6)
"""How the year's tickets are spread over its months."""
DAYS = (3, 12, 21, 27)
"""The days of a month on which people are watched at work."""
TICKETS = 6
"""So many are opened on each such day."""
WRITES = 6
"""Of a ticket, from its copy to its closing."""
POLLS = 30 * (8 * 60 * 4 + 16 * 60)
"""A month's: four a minute in working hours, one a minute in quiet ones."""
RESTORED, UPGRADED, AWAY = (3, 9), 6, 8
"""In which months."""
BEFORE = "0003"
"""The schema by way of which the store is upgraded."""
CYCLES = 9
AT_ONCE = 50_000


@dataclass(frozen=True)
class _Bridge:
    """The bridge at one moment."""

    file: Path
    now: datetime

    @property
    def configuration(self) -> Configuration:
        loaded = config.load(self.file, environment())
        # the copies' texts are not the engine's own: a sweep reads in full what came before the first of them
        return replace(loaded, engine=replace(loaded.engine, deep=len(DAYS) * TICKETS))

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        loaded = self.configuration
        with (
            servers(loaded) as both,
            open_store(loaded) as store,
            Pair(loaded.rules, both, store, loaded.engine, lambda: self.now) as pair,
        ):
            opened = Engine(pair)
            opened.recover()
            yield opened


@dataclass
class _Year:
    """The desk, its clock, and what people did."""

    on: Stage
    now: datetime = BEGIN
    notes: int = 0
    open: list[int] = field(default_factory=list)
    """External's ids of the tickets that were opened on the last day."""

    @property
    def bridge(self) -> _Bridge:
        return _Bridge(self.on.folder / "sync.toml", self.now)

    def wait(self, **span: float) -> None:
        """Let time pass, for both servers and the bridge."""
        self.now += timedelta(**span)
        for host in self.on.simulated:
            host.do(hosts.set_clock, self.now)

    def cycle(self, kind: CycleKind = CycleKind.POLL) -> str:
        self.wait(minutes=2)
        with self.bridge.engine() as opened:
            return _cycle(opened, kind)

    def day(self) -> None:
        """People open tickets, answer, and close those of the last day."""
        external, _ = self.on.simulated
        external.do(hosts.close_tickets, self.open)
        self.open = external.do(hosts.open_tickets, TICKETS, 0, b"a file")
        for _ in range(2):
            external.do(hosts.add_notes, self.open, f"<p>note-{self.notes}-</p>")
            self.notes += 1
            self.cycle()
            self.wait(hours=3)


@dataclass(frozen=True)
class _Month:
    """What was measured at a month's end."""

    links: int
    megabytes: float
    remembered: int
    cycles: int
    calls: int
    queries: int
    own: float
    """Seconds of processor time of an idle cycle."""
    status: float
    sweep_calls: int
    sweep_own: float
    memory: float


def year(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Twelve months, and what they leave."""
    with stage(folder / "year", ages=datetime.now(UTC) - BEGIN) as on:
        desk = _Year(on)
        desk.wait(hours=1)
        months = []
        for month, share in enumerate(SEASON, 1):
            _live(desk, month)
            _grow(desk, sizes.year * share // sum(SEASON))
            months.append(_measure(desk))
            print(f"    month {month}: {months[-1]}", flush=True)
        for _ in range(3):
            desk.wait(hours=2)
            desk.cycle()
        counts = [host.do(hosts.count_marks, r"note-\d+-") for host in on.simulated]
        tickets = [host.do(hosts.tickets) for host in on.simulated]
    assert counts[0] == counts[1], counts
    assert len(counts[0]) == desk.notes, counts
    assert tickets[0] == tickets[1], tickets
    yield from _rows(months)


def _cycle(opened: Engine, kind: CycleKind) -> str:
    """How a cycle ends; a sweep begins with the first link."""
    opened.pair.store.facts.put("sweep.deep", None)
    return str(opened.cycle(kind).outcome)


def _rows(months: list[_Month]) -> Iterator[Row]:
    first, last = months[0], months[-1]
    what = f"a year, {first.links:,} to {last.links:,} links"
    curves = [vars(month) for month in months]
    yield row("year", f"{what}: calls of an idle cycle", "as in the first month", last.calls, first.calls, months=curves)
    for name, value, most in (
        ("store queries of an idle cycle", last.queries / first.queries, 1.1),
        ("own CPU of an idle cycle", last.own / first.own, 1.5),
        ("own CPU of itopsync status", last.status / first.status, 1.5),
    ):
        yield row("year", f"{what}: {name}", f"≤ {most} × the first month's", value, most, unit=" ×")
    full = max(month.remembered + month.cycles for month in months[4:8])
    kept = (last.remembered + last.cycles) / full
    yield row("year", f"{what}: writes and cycles remembered", "≤ 1.2 × the middle months'", kept, 1.2, unit=" ×")
    each = (last.megabytes - months[5].megabytes) * 1e6 / (last.links - months[5].links)
    yield Row("year", f"{what}: the store", "named", f"{last.megabytes:.0f} MB, {each:,.0f} bytes for each link more", None)
    yield Row("year", f"{what}: a sweep", "named", f"{last.sweep_calls} calls, {last.sweep_own:.1f} s of own CPU", None)
    held = f"{last.memory:.0f} MB, {first.memory:.0f} MB after the first month's"
    yield Row("year", f"{what}: memory after a sweep", "named", held, None)


def _live(desk: _Year, month: int) -> None:
    """The days of a month, and what befalls it."""
    began = desk.now
    for day in DAYS:
        desk.wait(seconds=(began + timedelta(days=day) - desk.now).total_seconds())
        backup = _path(desk).with_name(f"backup{month}-{day}")
        if month in RESTORED:
            upkeep.copy(desk.on.configuration.store_url, backup)
        desk.day()
        if day != DAYS[1]:
            continue
        if month in RESTORED:
            _restore(desk, backup)
        if month == UPGRADED:
            migrate.downgrade(desk.on.configuration.store_url, BEFORE)
            migrate.upgrade(desk.on.configuration.store_url)
        if month == AWAY:
            _away(desk)
    desk.wait(seconds=(began + timedelta(days=30) - desk.now).total_seconds())


def _restore(desk: _Year, backup: Path) -> None:
    """The store as it was before this day's work."""
    path = _path(desk)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    backup.rename(path)
    desk.cycle(CycleKind.SWEEP)


def _away(desk: _Year) -> None:
    """External answers nobody for some hours."""
    external, _ = desk.on.simulated
    external.do(hosts.cut_off, on=True)
    ends = set()
    for _ in range(5):
        desk.wait(hours=1)
        ends.add(desk.cycle())
    external.do(hosts.cut_off, on=False)
    assert ends == {"unavailable"}, ends


def _grow(desk: _Year, count: int) -> None:
    """The month's other tickets, closed, with what is remembered of them."""
    desk.cycle()
    on = desk.on
    first = max(host.do(hosts.highest) for host in on.simulated) + 1
    with open_store(on.configuration) as store:
        first = max(first, _highest_link(store) + 1)
        numbers = range(first, first + count)
        closed = f"{desk.now:%Y-%m-%d} 00:00:00"
        for host in on.simulated:
            host.do(hosts.multiply_last, count, first, closed)
        like = next(found for found in store.links.get([_highest_link(store)]) if found.files)
        fill(store, like, numbers, live=False, version=closed)
        _remember(store, numbers, desk.now)
        for which in Side:
            state = store.polls.side(which)
            assert state.cursor is not None
            store.polls.put_side(replace(state, high_water_marks=((state.cursor - timedelta(days=1), numbers.stop),)))
    for _ in range(3):
        desk.wait(hours=2)
        desk.cycle()


def _remember(store: Store, numbers: range, end: datetime) -> None:
    """What a month leaves in the store beside its links: its writes and its polls."""
    count = len(numbers) * WRITES
    wrote = {"side": Side.INTERNAL.value, "action": "write", "outcome": "done", "age": 9.0, "cycle": end}
    wrote["items"] = '["log:private_log:0123456789abcdef"]'
    writes = [wrote | {"at": _spread(end, place, count), "link_id": numbers.start + place // WRITES} for place in range(count)]
    polls = [
        {"kind": CycleKind.POLL.value, "started": at, "finished": at, "outcome": "well", "counts": '{"links": 2}', "error": None}
        for at in (_spread(end, place, POLLS) for place in range(POLLS))
    ]
    with store.database.writing() as connection:
        for table, rows in ((activity, writes), (cycle, polls)):
            for start in range(0, len(rows), AT_ONCE):
                connection.execute(insert(table), rows[start : start + AT_ONCE])


def _spread(end: datetime, place: int, of: int) -> datetime:
    return end - timedelta(days=30) * (1 - place / of)


def _measure(desk: _Year) -> _Month:
    on = desk.on
    with desk.bridge.engine() as opened:
        opened.cycle()
        before = sum(on.calls().values())
        with counted() as queries:
            opened.cycle()
        calls = sum(on.calls().values()) - before
    before = sum(on.calls().values())
    desk.wait(minutes=2)
    with get_context("spawn").Pool(1) as beside:
        own, sweep, memory = beside.apply(_look, (desk.bridge,))
    sweep_calls = sum(on.calls().values()) - before - CYCLES * calls
    with open_store(on.configuration) as store, store.database.reading() as connection:
        links, remembered, cycles = (
            connection.scalar(select(func.count()).select_from(table)) or 0 for table in (link, activity, cycle)
        )
    told = [ITOPSYNC, "--config", str(on.folder / "sync.toml"), "status"]
    before_it = os.times()
    subprocess.run(told, capture_output=True, env=environment(), check=False)
    after_it = os.times()
    status = after_it.children_user + after_it.children_system - before_it.children_user - before_it.children_system
    size = _path(desk).stat().st_size / 1e6
    return _Month(links, size, remembered, cycles, calls, len(queries), own, status, sweep_calls, sweep, memory)


def _look(bridge: _Bridge) -> tuple[float, float, float]:
    """What an idle cycle and a sweep take of the processor, in seconds, and what their process holds then, in MB."""
    logs.configure("error")
    with bridge.engine() as opened:
        opened.cycle()
        own = statistics.median(processor(opened.cycle) for _ in range(CYCLES - 1))
        sweep = processor(lambda: _cycle(opened, CycleKind.SWEEP))
        return own, sweep, resident(os.getpid())


def _highest_link(store: Store) -> int:
    with store.database.reading() as connection:
        return connection.scalar(select(func.max(link.c.id))) or 0


def _path(desk: _Year) -> Path:
    return Path(desk.on.configuration.store_url.removeprefix("sqlite:///"))
