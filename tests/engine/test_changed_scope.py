"""The scope is changed while tickets wait for their copies: what is out of it by then is not copied."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itopsync import config
from itopsync.errors import SafetyStop
from itopsync.reconcile.plan import Kept
from itopsync.store.records import CycleKind, DueCounts
from tests.engine.rig import CONFIGURATION, Rig

SINCE = "2026-11-20"
STRICT = "[limits]\ncreations = 1\n"


def _configure(rig: Rig, since: str = SINCE, more: str = "") -> None:
    text = CONFIGURATION.format(store=rig.folder / "store.sqlite", more=more)
    assert SINCE in text
    path = rig.folder / "sync.toml"
    path.write_text(text.replace(SINCE, since))
    rig.configuration = config.load(path, {"PASSWORD": "sync-password"}, now=rig.now)
    rig.restart()


@pytest.fixture
def stopped(rig: Rig) -> Rig:
    """Three tickets wait, since a limit stopped the cycle before their copies were made."""
    _configure(rig, more=STRICT)
    for place in range(3):
        rig.customer.create("UserRequest", title=f"Printer {place}")
    with pytest.raises(SafetyStop):
        rig.sync()
    return rig


def _copies(rig: Rig) -> list[str]:
    return sorted(row["title"] for row in rig.internal.tickets("UserRequest"))


def test_a_later_since_drops_what_waits(stopped: Rig) -> None:
    stopped.wait(minutes=10)
    _configure(stopped, f"{stopped.now - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}", STRICT)
    planned, _ = stopped.inspector.preview()
    assert [each.plan.actions for each in planned] == [()] * 3
    assert {remark.kept for each in planned for remark in each.plan.remarks} == {Kept.OUT_OF_SCOPE}
    assert stopped.sync().outcome == "well"
    assert _copies(stopped) == []
    assert stopped.store.links.due_counts(stopped.now + timedelta(days=1)) == DueCounts()


def test_a_condition_drops_what_does_not_meet_it(stopped: Rig) -> None:
    stopped.restrict("this.title = 'Printer 1'")
    assert stopped.sync().outcome == "well"
    assert _copies(stopped) == ["Printer 1"]


def test_what_was_dropped_is_copied_once_it_is_in_scope_again(stopped: Rig) -> None:
    stopped.restrict("this.title = 'none'")
    stopped.sync()
    assert _copies(stopped) == []
    _configure(stopped)
    stopped.wait(minutes=1)
    stopped.engine.cycle(CycleKind.SWEEP)
    stopped.settle(2)
    assert _copies(stopped) == ["Printer 0", "Printer 1", "Printer 2"]


def test_a_copy_whose_create_is_in_doubt_is_not_dropped(stopped: Rig) -> None:
    """It may have been made: only what was never sent is forgotten."""
    (first, *_) = stopped.store.links.get(range(1, 4))
    stopped.store.links.begin_write(first.id, stopped.now, loaded=first, saved=first)
    stopped.restart()
    assert first.external.id not in stopped.store.links.without_copy("UserRequest")
