"""A full day, killed before and after each commit of the store and around each request; then pairs of kills at random."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from itopsync.simulator import Simulator
from itopsync.store import Store
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Crash, Rig

COMMITS = ("record_poll", "mark_due", "begin_write", "save", "put_side", "record_cycle")
PAIRS = 60


class Boundaries:
    """Counts the boundaries that a run crosses, and ends it at the chosen ones."""

    def __init__(self, *chosen: int) -> None:
        self.chosen = list(chosen)
        self.crossed = 0

    def cross(self) -> None:
        """One more; the process ends here if it is the next that was chosen."""
        self.crossed += 1
        if self.chosen and self.crossed == self.chosen[0]:
            self.chosen.pop(0)
            self.crossed = 0
            raise Crash


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[[Boundaries], None]:
    """Let the commits of every store be boundaries."""

    present = Boundaries()

    def around(original: Callable[..., Any]) -> Callable[..., Any]:
        def watched_commit(*arguments: Any, **named: Any) -> Any:
            present.cross()
            result = original(*arguments, **named)
            present.cross()
            return result

        return watched_commit

    for name in COMMITS:
        monkeypatch.setattr(Store, name, around(getattr(Store, name)))

    def watch(boundaries: Boundaries) -> None:
        nonlocal present
        present = boundaries

    return watch


def _play(rig: Rig) -> None:
    """A linked request with everything outstanding, in both directions, and new ones."""
    number = rig.customer.create("UserRequest", title="Printer", private_log="<p>One</p>", service_id=1)
    rig.customer.attach("UserRequest", number, "old.txt", "text/plain", b"old")
    rig.sync()
    copy = rig.copy_of(number)
    (gone,) = rig.external.ticket("UserRequest", number)["attachments"]
    rig.customer.delete_attachment(gone["id"])
    picture = rig.customer.paste_image("UserRequest", number, "s.png", "image/png", PICTURE)
    rig.customer.note("UserRequest", number, f"<p>Two</p>{picture}")
    rig.customer.update("UserRequest", number, urgency="1")
    rig.operator.note("UserRequest", copy, "<p>Three</p>")
    rig.operator.attach("UserRequest", copy, "b.txt", "text/plain", b"b")
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.operator.stimulus("UserRequest", copy, "ev_resolve", **RESOLVED)
    rig.customer.create("Incident", title="Mail", private_log=f"<p>Down {picture}</p>")


def _run(rig: Rig, boundaries: Boundaries, watch: Callable[[Boundaries], None]) -> bool:
    """Play, run to the chosen boundaries, restart at each; return whether there were so many."""
    watch(Boundaries())
    _play(rig)
    watch(boundaries)
    rig.probe = lambda _: boundaries.cross()
    for _ in range(4):
        try:
            rig.sync()
            break
        except Crash:
            rig.restart()
            rig.probe = lambda _: boundaries.cross()
            rig.wait(minutes=6)
    reached = not boundaries.chosen
    watch(Boundaries())
    rig.probe = None
    rig.settle()
    return reached


def _violations(rig: Rig) -> list[str]:
    found = [f"{item.ticket} {item.what}: {item.external} / {item.internal}" for item in rig.differences()]
    for simulator in (rig.external, rig.internal):
        found += _doubled(simulator)
    before = rig.written()
    rig.sync()
    return found if rig.written() == before else [*found, "a further cycle still wrote"]


def _doubled(simulator: Simulator) -> Iterator[str]:
    for ticket in simulator.tickets():
        texts = Counter(entry.text for entry in ticket["private_log"])
        files = Counter((one["contents"].filename, one["temp_id"]) for one in ticket["attachments"])
        yield from (f"{ticket['ref']}: {count} times {thing!r}" for thing, count in (texts + files).items() if count > 1)


def test_one_kill_at_a_sample_of_boundaries(tmp_path: Path, watched: Callable[[Boundaries], None]) -> None:
    _kill_at(range(1, 1_000, 17), tmp_path, watched)


@pytest.mark.torture
def test_one_kill_at_every_boundary(
    tmp_path: Path, watched: Callable[[Boundaries], None], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = _kill_at(range(1, 1_000), tmp_path, watched)
    with capsys.disabled():
        print(f"\nevery boundary: {runs} boundaries, {runs} runs, 0 violations")


def _kill_at(places: range, tmp_path: Path, watched: Callable[[Boundaries], None]) -> int:
    """Kill a fresh run at each of *places*, as far as there are boundaries; return how many runs those were."""
    runs = 0
    for place in places:
        folder = tmp_path / str(place)
        folder.mkdir()
        rig = Rig(folder)
        reached = _run(rig, Boundaries(place), watched)
        found = _violations(rig)
        rig.stop()
        assert found == [], f"killed at boundary {place}"
        if not reached:
            break
        runs += 1
    assert runs > 1
    return runs


@pytest.mark.torture
def test_two_kills_at_random(tmp_path: Path, watched: Callable[[Boundaries], None], capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(1)
    for n in range(PAIRS):
        folder = tmp_path / str(n)
        folder.mkdir()
        rig = Rig(folder)
        pair = (chance.randrange(1, 70), chance.randrange(1, 70))
        _run(rig, Boundaries(*pair), watched)
        found = _violations(rig)
        rig.stop()
        assert found == [], f"killed at boundaries {pair}"
    with capsys.disabled():
        print(f"\npairs of boundaries: {PAIRS} runs, 0 violations")
