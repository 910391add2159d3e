"""What the torture shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.cluster import Cluster, started


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of our own."""
    with started() as running:
        yield running
