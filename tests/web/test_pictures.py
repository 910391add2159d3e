"""The pictures of the console in the documents: there, small, and shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.web import busy
from tests.web.desk import NOW, Desk
from tests.web.pictures import DESKS, FOLDER, PICTURES

LARGEST = 100_000
PAGE = (FOLDER.parent / "how-to" / "web.md").read_text()


def test_these_are_all_the_pictures() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {f"{name}.png" for name in (*PICTURES, DESKS)}
    assert set(re.findall(r"\(\.\./web/(.+?)\.png\)", PAGE)) == PICTURES.keys()
    for readme in ("README.md", "README.id.md"):
        assert f"(docs/web/{DESKS}.png)" in (FOLDER.parents[1] / readme).read_text()


def test_the_cycles_that_they_show_were_recorded_as_they_ran(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    busy.fill(desk.store, 40, NOW)
    began = [cycle.started for cycle in desk.store.history.cycles(100_000)]
    desk.close()
    assert began == sorted(began, reverse=True)


@pytest.mark.parametrize("name", [*PICTURES, DESKS])
def test_a_picture_is_small(name: str) -> None:
    picture = (FOLDER / f"{name}.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert 1_000 < len(picture) < LARGEST
