"""A process killed at each boundary of its input and output: in the end each thing is there exactly once."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from itopsync.model import Side
from itopsync.reconcile.rules import Limits
from itopsync.simulator import Simulator
from tests.engine.pair import DEEP, MIXED, Versions, named, usual_versions
from tests.engine.verifying import compared
from tests.store.cluster import Cluster
from tests.torture.directions import against_the_rules
from tests.torture.killing import MortalRig
from tests.torture.scenarios import SCENARIOS, Scenario, leaked, open_request, told

PAIRS = 25

Make = Callable[[str], MortalRig]


@dataclass
class Ground:
    """Where rigs are made, each with a fresh store."""

    folder: Path
    cluster: Cluster | None = None
    made: int = 0
    versions: Versions = field(default_factory=usual_versions)

    @property
    def name(self) -> str:
        return "SQLite" if self.cluster is None else "PostgreSQL"

    def clear(self, rig: MortalRig) -> None:
        """Remove a rig, and its store."""
        rig.stop()
        shutil.rmtree(rig.folder)
        if self.cluster is not None:
            self.cluster.drop(rig.url)

    def rig(self, more: str = "", *, limits: Limits | None = None) -> MortalRig:
        self.made += 1
        folder = self.folder / str(self.made)
        folder.mkdir()
        url = self.cluster.new_store() if self.cluster is not None else ""
        return MortalRig(folder, more, limits=limits, url=url, versions=self.versions)


def _prepare(ground: Ground, scenario: Scenario) -> MortalRig:
    """Bring a fresh rig to where people have acted and itopsync has not looked yet."""
    rig = ground.rig(limits=scenario.limits)
    number = open_request(rig)
    rig.sync()
    scenario.begin(rig, number)
    rig.sync()
    rig.settle(1)
    scenario.act(rig, number)
    return rig


def play(ground: Ground, scenario: Scenario, kills: tuple[int, ...]) -> tuple[list[str], list[str]]:
    """Play a scenario with kills at these boundaries; return the boundaries that the first process crossed, and violations."""
    rig = _prepare(ground, scenario)

    def work() -> None:
        for _ in range(scenario.cycles):
            rig.sync()

    try:
        crossed = rig.run(work, kills[0] if kills else None)
        for kill in kills[1:]:
            rig.wait(minutes=6)
            rig.run(work, kill)
        rig.settle()
        return crossed, list(violations(rig, scenario))
    finally:
        ground.clear(rig)


def violations(rig: MortalRig, scenario: Scenario) -> Iterator[str]:
    own = tuple(ticket["id"] for ticket in rig.internal.tickets() if ticket["title"] == "Ours")
    for item in rig.differences(besides=own):
        if not item.what.startswith(scenario.apart or ("nothing",)):
            yield f"{item.ticket} {item.what}: {item.external} and {item.internal}"
    for word, count in (scenario.expected or {}).items():
        there = {side: told(rig, side, word) for side in Side}
        if there[Side.INTERNAL] != count or (word != "Not carried" and there[Side.EXTERNAL] != count):
            yield f"'{word}' stands {there} times"
    for side in Side:
        yield from _doubled(rig.simulator(side))
        yield from against_the_rules(side, rig.simulator(side))
    yield from leaked(rig)
    yield from compared(rig)
    before = rig.written()
    rig.wait(minutes=10)
    rig.engine.cycle()
    if rig.written() != before:
        yield f"a further cycle wrote {rig.written() - before} times"


def _doubled(simulator: Simulator) -> Iterator[str]:
    for ticket in simulator.tickets():
        markers = Counter(name for entry in ticket["private_log"] for name in _markers(entry.text))
        files = Counter(
            name for attachment in ticket["attachments"] if attachment["temp_id"] for name in _named(attachment["temp_id"])
        )
        yield from (f"{ticket['ref']}: {name} {count} times" for name, count in (markers + files).items() if count > 1)


def _named(temp_id: str) -> list[str]:
    """What a file names: each of the entries that it holds, or itself."""
    link, *digests = temp_id.split(".") if "-n-" in temp_id else (temp_id,)
    return [f"{link}.{digest}" for digest in digests] or [temp_id]


def _markers(text: str) -> list[str]:
    return [name for names in re.findall(r'<a name="([^"]*)"', text) for name in names.split(",") if name.startswith("itopsync-")]


@pytest.fixture(params=["sqlite", "postgresql"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    """On SQLite and on a real PostgreSQL."""
    return Ground(tmp_path, request.getfixturevalue("cluster") if request.param == "postgresql" else None)


@pytest.mark.torture
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_kill_at_any_boundary_loses_and_doubles_nothing(
    ground: Ground, scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    boundaries, found = play(ground, scenario, ())
    for place in range(len(boundaries)):
        there = play(ground, scenario, (place,))[1]
        found += [f"{boundaries[place]} ({place}): {violation}" for violation in there]
    record_property("torture", (f"{scenario.name} · {ground.name}", len(boundaries), ground.made, len(found)))
    assert found == []


@pytest.mark.torture
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_two_kills_at_random_lose_and_double_nothing(
    ground: Ground, scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    boundaries, found = play(ground, scenario, ())
    chance = random.Random(scenario.name)
    for _ in range(PAIRS):
        pair = (chance.randrange(len(boundaries)), chance.randrange(len(boundaries)))
        there = play(ground, scenario, pair)[1]
        found += [f"{pair}: {violation}" for violation in there]
    record_property("torture", (f"{scenario.name} · {ground.name} · pairs of kills", 0, ground.made, len(found)))
    assert found == []


@pytest.mark.torture
@pytest.mark.parametrize("versions", DEEP, ids=named)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_kills_between_two_versions_lose_and_double_nothing(tmp_path: Path, scenario: Scenario, versions: Versions) -> None:
    ground = Ground(tmp_path, versions=versions)
    boundaries, found = play(ground, scenario, ())
    for kill in range(0, len(boundaries), max(1, len(boundaries) // PAIRS)):
        found += [f"{boundaries[kill]} ({kill}): {violation}" for violation in play(ground, scenario, (kill,))[1]]
    assert found == []


@pytest.mark.parametrize("place", range(len(SCENARIOS)), ids=[scenario.name for scenario in SCENARIOS])
def test_a_kill_at_some_boundary_loses_and_doubles_nothing(tmp_path: Path, place: int) -> None:
    boundaries, found = play(Ground(tmp_path, versions=MIXED[0]), SCENARIOS[place], ())
    for part, versions in enumerate(MIXED):
        kill = (place + part * len(boundaries) // len(MIXED)) % len(boundaries)
        crossed, there = play(Ground(tmp_path, versions=versions), SCENARIOS[place], (kill,))
        assert len(crossed) == kill, "it was not killed"
        found += [f"{named(versions)}: {boundaries[kill]} ({kill}): {violation}" for violation in there]
    assert found == []
