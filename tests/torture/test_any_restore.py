"""One of the servers is restored from a backup while people work: what the other one has is kept, and goes there again."""

from __future__ import annotations

from typing import Any

import pytest

from itopsync.reconcile import identity
from tests.torture.restoring import violations_of

SHORT = (5, 10, 12, 64)
"""In the last one the answer to an upload is lost just before the restore."""
KINDS: dict[str, dict[str, bool]] = {"plain": {}, "linked by hand": {"by_hand": True}, "from a form": {"forms": True}}
FORM = 26
"""The restore of external gives the id of a ticket to another one from the same form."""
DEEP = [("plain", first) for first in range(0, 300, 10)]
DEEP += [(kind, first) for kind in ("linked by hand", "from a form") for first in range(0, 60, 10)]
"""What sort of tickets some are, and the first of ten seeds."""


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        *(("plain", seed) for seed in SHORT),
        *(("linked by hand", seed) for seed in range(4)),
        *(("from a form", seed) for seed in (FORM, 1, 2)),
    ],
)
def test_any_restore_ends_as_promised_in_short(kind: str, seed: int) -> None:
    assert violations_of(seed, **KINDS[kind]) == []


@pytest.mark.torture  # 420 histories take many minutes; the short ones and the opened holes run in `make test`
@pytest.mark.parametrize(("kind", "first"), DEEP)
def test_any_restore_ends_as_promised(kind: str, first: int) -> None:
    found = {seed: violations_of(seed, **KINDS[kind]) for seed in range(first, first + 10)}
    assert {seed: violations for seed, violations in found.items() if violations} == {}


# holes that were closed once, opened again on purpose


def test_a_ticket_linked_by_hand_that_is_known_by_its_number_alone_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopsync.reconcile.identity._is_as_linked", lambda *_: True)
    assert any("words of 2 tickets" in violation for violation in violations_of(3, by_hand=True))


def test_a_ticket_that_is_known_by_the_title_of_its_form_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    by_all = identity._is_another

    def by_title(*known: Any, renamed: bool) -> bool:
        return renamed and by_all(*known, renamed=renamed)

    monkeypatch.setattr(identity, "_is_another", by_title)
    assert any("words of 2 tickets" in violation for violation in violations_of(FORM, forms=True))


def test_a_ticket_that_is_known_by_a_stock_entry_whenever_that_was_written_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_is_known", lambda person, link, *_: person.marker in link.base.notes)
    assert any("words of 2 tickets" in violation for violation in violations_of(FORM, forms=True))


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
