from collections.abc import Iterator

import pytest

from tests.itop.fake import Fake


@pytest.fixture
def fake() -> Iterator[Fake]:
    fake = Fake()
    yield fake
    fake.close()
