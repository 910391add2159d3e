"""What the tests of watching share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from itopsync.reconcile.rules import Limits
from itopsync.watch import HooksSettings
from itopsync.watch import Receiver as Hook
from tests.engine.rig import Rig
from tests.watch.receiver import Receiver, receiving
from tests.watch.service import Service

TOO_LARGE = 20_001


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Two servers, agreed on nothing yet; a file of :data:`TOO_LARGE` bytes is not carried."""
    made = Rig(tmp_path, limits=Limits(file_size=TOO_LARGE - 1))
    yield made
    made.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who takes webhooks."""
    with receiving() as made:
        yield made


@pytest.fixture
def service(rig: Rig, receiver: Receiver) -> Iterator[Service]:
    """A service between the two, whose webhook goes there."""
    made = Service(rig, HooksSettings(webhook=Hook(url=f"{receiver.url}/hook")))
    yield made
    made.stop()
