from collections.abc import Iterator

import pytest

from tests.itop.fake import Fake
from tests.itop.stage import VERSIONS, Stage, cassette_of, staged


@pytest.fixture
def fake() -> Iterator[Fake]:
    fake = Fake()
    yield fake
    fake.close()


@pytest.fixture(params=VERSIONS)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with staged(cassette_of(request.node.name, request.param), request.param) as stage:
        yield stage
