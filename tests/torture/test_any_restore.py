"""One of the servers is restored from a backup while people work: what the other one has is kept, and goes there again."""

from __future__ import annotations

import pytest

from tests.torture.restoring import violations_of

SHORT = (5, 10, 12, 64)
"""In the last one the answer to an upload is lost just before the restore."""
DEEP = [*((first, False) for first in range(0, 300, 10)), *((first, True) for first in range(0, 60, 10))]
"""The first of ten seeds, and whether two tickets are linked by hand."""


@pytest.mark.parametrize(("seed", "by_hand"), [*((seed, False) for seed in SHORT), *((seed, True) for seed in range(4))])
def test_any_restore_ends_as_promised_in_short(seed: int, by_hand: bool) -> None:
    assert violations_of(seed, by_hand=by_hand) == []


@pytest.mark.torture  # 360 histories take many minutes; the short ones and the opened holes run in `make test`
@pytest.mark.parametrize(("first", "by_hand"), DEEP)
def test_any_restore_ends_as_promised(first: int, by_hand: bool) -> None:
    found = {seed: violations_of(seed, by_hand=by_hand) for seed in range(first, first + 10)}
    assert {seed: violations for seed, violations in found.items() if violations} == {}


# holes that were closed once, opened again on purpose


def test_a_ticket_linked_by_hand_that_is_known_by_its_number_alone_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopsync.reconcile.identity._is_as_linked", lambda *_: True)
    assert any("words of 2 tickets" in violation for violation in violations_of(3, by_hand=True))


def test_an_older_state_that_is_taken_for_a_persons_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopsync.reconcile.planner.held_as_restored", lambda _: None)
    assert any("was nobody's" in violation for violation in violations_of(5))


def test_files_that_a_restore_took_and_that_pass_for_deleted_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopsync.engine.safeguard.perhaps_restored", lambda *_: lambda _: False)
    assert any("was the last copy" in violation for violation in violations_of(0))


@pytest.mark.parametrize(("seed", "found"), [(0, "was the last copy"), (10, "is not on internal")])
def test_a_file_that_went_alone_while_another_ticket_went_back_is_seen(
    seed: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("itopsync.engine.safeguard._links_gone_back", lambda *_: frozenset())
    assert any(found in violation for violation in violations_of(seed))


def test_a_file_of_a_restored_server_that_is_known_by_its_id_alone_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("itopsync.reconcile.copies", "itopsync.engine.poll", "itopsync.reconcile.restored"):
        monkeypatch.setattr(f"{module}.born_together", lambda *_: True)
    assert any("is not on external" in violation for violation in violations_of(29))
