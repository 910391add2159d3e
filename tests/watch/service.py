"""A service with hooks, cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from itopsync.errors import ItopsyncError
from itopsync.store.records import CycleKind
from itopsync.watch import HooksSettings, MetricsSettings
from itopsync.watch.watch import Watch
from tests.engine.rig import Rig

PATIENCE = 20.0


@dataclass
class Service:
    """What `run` does, cycle by cycle, with hooks."""

    rig: Rig
    hooks: HooksSettings
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.watch = Watch("demo", MetricsSettings(), self.hooks, self.rig.store, lambda: self.rig.now, patience=PATIENCE)
        self.watch.__enter__()

    def stop(self) -> None:
        self.watch.__exit__(None, None, None)

    def restart(self) -> None:
        self.stop()
        self.rig.restart()
        self.start()

    def cycle(self, minutes: float = 1) -> None:
        """One cycle, and all that it leads to."""
        self.rig.wait(minutes=minutes)
        try:
            ended: Any = self.rig.engine.cycle()
        except ItopsyncError as error:
            ended = error
        self.watch.cycle_ended(CycleKind.POLL, ended)
        self.settle()

    def settle(self) -> None:
        """Wait for what is under way."""
        for hook in self.watch._hooks:
            assert hook._errand.wait(PATIENCE)
        assert self.watch._pulse.wait(PATIENCE)
