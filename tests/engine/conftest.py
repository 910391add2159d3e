"""What the engine's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.pair import usual_versions
from tests.engine.rig import Rig


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Two servers, agreed on nothing yet; a suite can ask for versions with ``@on_pairs_of``."""
    made = Rig(tmp_path, versions=getattr(request, "param", usual_versions()))
    yield made
    made.stop()
