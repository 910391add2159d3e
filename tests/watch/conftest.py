"""What the tests of watching share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.rig import Rig
from tests.watch.receiver import Receiver, receiving


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Two servers, agreed on nothing yet."""
    made = Rig(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who takes webhooks."""
    with receiving() as made:
        yield made
