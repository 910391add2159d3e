"""The page on the client tells of every error."""

from pathlib import Path

import pytest

from itopsync.errors import RemoteError, SideUnavailable
from itopsync.itop.dates import DateFormatWrong

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "client.md").read_text()
GROUPS = {SideUnavailable}
"""Never raised themselves."""


def kinds(base: type[RemoteError]) -> set[type[RemoteError]]:
    found = {kind for child in base.__subclasses__() for kind in {child, *kinds(child)}}
    return {kind for kind in found if kind.__module__ == "itopsync.errors"} | {DateFormatWrong}


@pytest.mark.parametrize("name", sorted(kind.__name__ for kind in kinds(RemoteError) - GROUPS))
def test_every_error_of_a_server_is_in_the_table(name: str) -> None:
    assert f"`{name}`" in PAGE
