from collections.abc import Iterator

import pytest

from tests.itop.fake import Fake
from tests.itop.stage import Stage, cassette_of, staged


@pytest.fixture
def fake() -> Iterator[Fake]:
    fake = Fake()
    yield fake
    fake.close()


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with staged(cassette_of(request.node.name)) as stage:
        yield stage
