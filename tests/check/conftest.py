"""Two simulated servers, and a configuration with nothing wrong that a test breaks in one place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from itopsync.check.checking import StoreLook, check
from itopsync.check.finding import Finding, Level
from itopsync.engine.marker_loss import Loss
from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile.rules import SideRules
from itopsync.simulator import Simulator
from itopsync.simulator.rights import Action
from tests.engine.rig import Rig
from tests.transport import SimulatorTransport


class Checked(Rig):
    """A rig that is looked at instead of being put to work."""

    revision: str | None = "0001"
    losses: tuple[Loss, ...] = ()

    def simulator(self, side: Side) -> Simulator:
        return self.external if side is Side.EXTERNAL else self.internal

    def settings(self, side: Side, **changed: Any) -> None:
        """Change what the client is told of a server."""
        of_side = getattr(self.configuration, side)
        self.configuration = replace(self.configuration, **{side: of_side.model_copy(update=changed)})

    def rules(self, **changed: Any) -> None:
        self.configuration = replace(self.configuration, rules=replace(self.configuration.rules, **changed))

    def side_rules(self, side: Side, **changed: Any) -> None:
        of_side: SideRules = self.configuration.rules.of(side)
        self.rules(**{side: replace(of_side, **changed)})

    def defaults(self, side: Side, **changed: object) -> None:
        self.side_rules(side, defaults={**self.configuration.rules.of(side).defaults, **changed})

    def cls(self, external: str, **changed: Any) -> None:
        """Change the rules of a class."""
        rules = self.configuration.rules.classes
        self.rules(classes=tuple(replace(cls, **changed) if cls.external == external else cls for cls in rules))

    def without(self, side: Side, cls: str, *rights: Action) -> None:
        """Take rights from our account."""
        accounts = self.simulator(side).accounts
        accounts["sync"] = accounts["sync"].without(cls, *rights)

    def open_store(self) -> StoreLook:
        return StoreLook(self.revision, self.losses)

    def findings(self) -> tuple[Finding, ...]:
        loaded = self.configuration
        with (
            Server(loaded.external, SimulatorTransport(self.external), sleep=lambda _: None) as external,
            Server(loaded.internal, SimulatorTransport(self.internal), sleep=lambda _: None) as internal,
        ):
            servers = {Side.EXTERNAL: external, Side.INTERNAL: internal}
            return check(loaded, servers, self.open_store, lambda: self.now)

    def wrong(self) -> list[Finding]:
        return [finding for finding in self.findings() if finding.level is not Level.OK]

    def the_one(self, level: Level, side: Side | None) -> Finding:
        """The only thing that is wrong."""
        (found,) = self.wrong()
        assert (found.level, found.side) == (level, side), found
        assert found.remedy.endswith(".")
        assert "\n" not in found.what + found.remedy
        return found

    def fault(self, side: Side | None) -> str:
        """The only thing that is wrong, a fault, as it is shown."""
        found = self.the_one(Level.FAULT, side)
        return f"{found.what}. {found.remedy}"

    def warning(self, side: Side | None) -> str:
        """The only thing that is wrong, a warning, as it is shown."""
        found = self.the_one(Level.WARNING, side)
        return f"{found.what}. {found.remedy}"

    def told(self, side: Side | None, words: str) -> str:
        """The one finding with these words, which is none to be mended."""
        (found,) = [finding.what for finding in self.findings() if finding.side is side and words in finding.what]
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Checked]:
    made = Checked(tmp_path)
    made.defaults(Side.INTERNAL, org_id={"name": "Demo"})
    yield made
    made.stop()
