"""Verifying raises no false alarm: where people have done everything and all is at rest, the comparison finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopsync.cli.verifying import strays
from tests.engine.rig import Rig
from tests.engine.verifying import compared, verified
from tests.torture.scenarios import SCENARIOS, Scenario, open_request


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_where_all_is_at_rest_the_comparison_finds_nothing(tmp_path: Path, scenario: Scenario) -> None:
    rig = Rig(tmp_path, limits=scenario.limits)
    try:
        number = open_request(rig)
        rig.sync()
        scenario.begin(rig, number)
        rig.sync()
        rig.settle(1)
        scenario.act(rig, number)
        for _ in range(scenario.cycles):
            rig.sync()
        rig.settle()
        assert compared(rig) == []
        assert all(result.agrees for result in verified(rig, deep=False))
        assert strays(rig.pair) == []
    finally:
        rig.stop()
