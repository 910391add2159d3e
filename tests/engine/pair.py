"""Two simulated servers, the people on them, and the store of an itopsync between them: what a test looks at."""

from __future__ import annotations

import os
from typing import cast

import pytest

from itopsync.demo.compare import Item, compare
from itopsync.model import Link, Ref, Side
from itopsync.simulator import Agent, Simulator, Version
from itopsync.simulator.audit import Written
from itopsync.store.store import Store

Versions = tuple[Version, Version]
"""The iTop that external plays, and the one that internal plays."""
ENVIRONMENT = "ITOPSYNC_TEST_VERSIONS"
"""Names the pair for all suites that do not choose themselves: ``ITOPSYNC_TEST_VERSIONS=3.1,3.2 pytest tests/engine``."""
MIXED: tuple[Versions, ...] = (("3.2", "3.2"), ("3.1", "3.2"), ("3.2", "3.1"), ("3.1", "3.1"))
DEEP: tuple[Versions, ...] = (*MIXED, ("2.7", "3.3"), ("3.3", "2.7"))
"""For the deep runs."""


def usual_versions() -> Versions:
    """The pair that the environment names, by default two of 3.2."""
    external, internal = os.environ.get(ENVIRONMENT, "3.2,3.2").split(",")
    return cast(Version, external), cast(Version, internal)


def named(versions: Versions) -> str:
    """How a test shows a pair in its name."""
    return "-to-".join(versions)


def on_pairs_of(pairs: tuple[Versions, ...]) -> pytest.MarkDecorator:
    """Run a suite on each of these pairs; its tests take the fixture ``rig``."""
    return pytest.mark.parametrize("rig", pairs, indirect=True, ids=named)


class Pair:
    """What both servers hold, and what the store knows of it."""

    external: Simulator
    internal: Simulator
    store: Store
    customer: Agent
    operator: Agent

    def simulator(self, side: Side) -> Simulator:
        return self.external if side is Side.EXTERNAL else self.internal

    def agent(self, side: Side) -> Agent:
        return self.customer if side is Side.EXTERNAL else self.operator

    def copy_of(self, number: int, cls: str = "UserRequest") -> int:
        """The id of the internal copy of an external ticket."""
        link = self.link(number, cls)
        assert link.internal is not None
        return link.internal.id

    def link(self, number: int, cls: str = "UserRequest") -> Link:
        found = self.store.links.of(Ref(Side.EXTERNAL, cls, number))
        assert found is not None
        return found

    def differences(self, besides: tuple[int, ...] = ()) -> list[Item]:
        """What differs between both servers, by their own data."""
        return [item for item in compare(self.external, self.internal, besides=besides) if not item.agrees]

    def writes(self, side: Side) -> list[Written]:
        """What itopsync wrote to one side."""
        return self.simulator(side).audit.select(account="sync", done=True)

    def written(self) -> int:
        return sum(len(self.writes(side)) for side in Side)

    def texts(self, side: Side, number: int, cls: str = "UserRequest") -> list[str]:
        """The entries of a ticket's private log, as stored."""
        return [entry.text for entry in self.simulator(side).ticket(cls, number)["private_log"]]
