"""Told to stop, a cycle ends between two calls, wherever that is: nothing is half-done, and the next one goes on."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from itopsync.errors import Stopped
from tests.engine.rig import Rig
from tests.engine.test_crashes import _a_full_day, _each_once
from tests.sampling import in_steps_of


def _stopped_after(rig: Rig, calls: int) -> bool:
    """Run a cycle that is told to stop after so many calls; say whether that was before its end."""
    left = count(calls, -1)

    def probe(where: str) -> None:
        if where.startswith("before:") and next(left) <= 0:
            raise Stopped

    rig.probe = probe
    report = rig.sync()
    rig.probe = None
    return report.outcome == "interrupted"


@in_steps_of(5)
def test_wherever_it_is_stopped_nothing_is_half_done(tmp_path: Path, step: int) -> None:
    for calls in count(0, step):
        folder = tmp_path / str(calls)
        folder.mkdir()
        rig = Rig(folder)
        _a_full_day(rig)
        written = rig.written()
        stopped = _stopped_after(rig, calls)
        done = rig.written() - written
        assert rig.store.links.troubles().in_doubt == 0
        assert rig.store.links.recover(rig.now, rig.now) == (), "no write is noted as under way"
        rig.sync()
        rig.sync()
        _each_once(rig)
        rig.stop()
        if not stopped:
            break
        assert done <= calls
    assert calls > 20, "the cycle took many calls, and was stopped before many of them"
