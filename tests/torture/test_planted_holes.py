"""Holes that were found and closed once, opened again on purpose: people's deeds and the ledger must find each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest

from itopsync.engine import apply, execute, failures
from itopsync.errors import Unreachable
from itopsync.itop.dates import Clock
from itopsync.itop.reader import Reader
from itopsync.model import Link, Observation, Side
from itopsync.reconcile import entries, form, gate, notes, plaintext, planner, richtext
from itopsync.reconcile.images import AttachedImage, name_of, source_of
from itopsync.reconcile.markers import picture_marker, prefix
from itopsync.reconcile.rules import Rules
from itopsync.simulator import Version
from itopsync.store.records import SideState
from tests.engine.pair import Versions
from tests.sampling import some
from tests.torture.oddities import Oddity
from tests.torture.test_rogues import (
    seen,
    seen_of_a_correction,
    seen_of_a_long_story,
    seen_of_a_solution_without_an_answer,
    seen_of_an_exchange,
    seen_of_an_oddity,
    seen_of_another_account,
)

Patch = pytest.MonkeyPatch


def _leaked(found: Collection[str]) -> bool:
    return any(violation.startswith("leaked") for violation in found)


def _leaked_in_an_exchange(choice: int, boundaries: range) -> bool:
    """Whether an exchange at one of these boundaries lets anything out; the middle ones come first."""
    middle = boundaries[len(boundaries) // 2]
    from_there = sorted(boundaries, key=lambda boundary: abs(boundary - middle))
    return any(_leaked(seen_of_an_exchange(choice, boundary) or []) for boundary in from_there)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("deed", ["paste_what_is_gone", "resolve_with_what_is_gone"])
def test_a_picture_that_is_gone_and_holds_things_up_is_seen(deed: str, side: Side, monkeypatch: Patch) -> None:
    right: Callable[..., None] = failures._hold_against

    def wrong(pair: Any, job: Any, item: Any, error: Any) -> None:
        right(pair, job, item, type("Refused", (Exception,), {})(str(error)))

    monkeypatch.setattr(failures, "_hold_against", wrong)
    assert seen(deed, [0, 0], sides=[side]) != []


def _begins_plainly(fragment: str, marks: tuple[str, ...]) -> bool:
    return any(richtext.plain(fragment).casefold().startswith(mark) for mark in marks)


@pytest.mark.parametrize("choice", some([1, 2, 4, 6, 9, 11, 12, 17, 51, 85], 3))
def test_a_disguised_mark_that_is_not_known_is_seen(choice: int, monkeypatch: Patch) -> None:
    monkeypatch.setattr(notes, "begins_with_tag", _begins_plainly)
    assert _leaked(seen("disguise", [choice]))


def test_a_kept_note_that_reaches_external_through_a_child_is_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr(gate, "_TAGGED_LINES", 1)
    assert _leaked(seen("lend_what_is_kept", versions=("3.2", "3.3")))


@pytest.mark.parametrize("hole", [("_SOURCE_LINE", "\n"), ("_BESIDE", frozenset[str]())])
def test_lines_that_are_counted_as_the_source_has_them_are_seen(hole: tuple[str, object], monkeypatch: Patch) -> None:
    monkeypatch.setattr(gate, *hole)
    assert _leaked(seen("wrap_a_mail"))


def test_the_picture_of_a_kept_note_that_goes_alone_is_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr(notes, "begins_with_tag", lambda *_: False)
    assert any("Picture" in violation for violation in seen("disguise", [0]))


def _read_files_by_their_ids_alone(monkeypatch: Patch) -> None:
    right = Reader.attachment_file
    monkeypatch.setattr(Reader, "attachment_file", lambda self, id, *_: right(self, id))


def test_a_file_of_another_ticket_that_is_taken_for_a_picture_is_seen(monkeypatch: Patch) -> None:
    _read_files_by_their_ids_alone(monkeypatch)  # which would not let it leave
    right = richtext._picture

    def wrong(attributes: Any, origin: richtext.Origin) -> richtext.Picture | None:
        source = source_of(attributes, origin.addresses)
        if isinstance(source, AttachedImage):
            return richtext.Picture(picture_marker(origin.pair, origin.ref, name_of(source)), source)
        return right(attributes, origin)

    monkeypatch.setattr(richtext, "_picture", wrong)
    assert any("'Data" in violation for violation in seen("show_anothers_file", [0]))


@pytest.mark.parametrize("choice", [0, 2])
def test_an_answer_of_another_ticket_that_is_planned_from_is_seen(choice: int, monkeypatch: Patch) -> None:
    right = planner.plan_link

    def wrong(*known: Any, **named: Any) -> Any:
        with monkeypatch.context() as within:
            within.setattr(planner, "mismatch", lambda *_: None)
            return right(*known, **named)

    monkeypatch.setattr(apply, "mismatch", lambda *_: None)
    monkeypatch.setattr(apply, "plan_link", wrong)
    assert _leaked_in_an_exchange(choice, range(30, 50))


@pytest.mark.parametrize("choice", [0, 3])
def test_a_file_that_is_not_confirmed_to_be_the_copys_is_seen(choice: int, monkeypatch: Patch) -> None:
    monkeypatch.setattr(execute, "_confirm_copy", lambda *_: None)
    assert _leaked_in_an_exchange(choice, range(20, 40))


def test_a_file_that_is_known_by_its_id_alone_when_it_is_read_is_seen(monkeypatch: Patch) -> None:
    _read_files_by_their_ids_alone(monkeypatch)
    assert _leaked_in_an_exchange(4, range(25, 40))


def _find_plainly(text: str, addresses: tuple[str, ...]) -> list[tuple[int, int]]:
    return [found.span() for address in addresses for found in re.finditer(rf"{re.escape(address)}[^\s<>\"]*", text)]


@pytest.mark.parametrize("deed", ["tell_an_address", "tell_an_address_with_a_state", "name_a_file"])
@pytest.mark.parametrize("choice", [1, 5])
def test_an_address_in_another_spelling_that_is_not_known_is_seen(deed: str, choice: int, monkeypatch: Patch) -> None:
    monkeypatch.setattr(gate, "find", _find_plainly)
    monkeypatch.setattr(gate, "find_in_name", _find_plainly)
    assert _leaked(seen(deed, [choice, choice]))


@pytest.mark.parametrize("choice", range(4))
def test_a_pictures_name_with_an_address_as_programs_write_it_is_seen(choice: int, monkeypatch: Patch) -> None:
    monkeypatch.setattr(richtext, "name_words", lambda name, _: name)
    assert _leaked(seen("name_a_picture", [choice]))


@pytest.mark.parametrize(("deed", "where"), [("tell_an_address_with_a_state", "form"), ("name_a_file", "gate")])
def test_a_plain_text_or_a_name_that_is_not_looked_at_is_seen(deed: str, where: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(f"itopsync.reconcile.{where}.words", lambda text, _: text)
    assert _leaked(seen(deed, range(2)))


def test_a_mention_that_is_carried_as_it_is_is_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr(gate, "_MENTION", re.compile(r"(?!x)x()()"))
    assert _leaked(seen("mention", range(2)))


def test_a_copy_of_another_tickets_entry_that_is_taken_for_ours_is_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr(entries, "speaks_for", lambda marker, pair, _: marker.startswith(prefix(pair)))
    monkeypatch.setattr(entries._Place, "can_stand", lambda *_, opens: True)
    found = seen("paste_a_copy", [0, 8, 7, 1])
    assert any("of external: 'Note" in violation for violation in found)
    assert any("of internal: 'Note" in violation for violation in found)


@pytest.mark.parametrize("versions", [("3.1", "3.2"), ("3.2", "3.1")])
def test_a_link_that_is_dropped_where_a_solution_is_plain_text_is_seen(versions: Versions, monkeypatch: Patch) -> None:
    monkeypatch.setattr(plaintext._PlainText, "_tell_addresses", lambda text: text._addresses.clear())
    side = Side.EXTERNAL if versions[0] == "3.2" else Side.INTERNAL  # where a solution is HTML
    assert any("leads to" in violation for violation in seen("resolve_with_a_link", versions=versions, sides=[side]))


@pytest.mark.parametrize(
    ("deed", "told", "internal"),
    [
        *(("note", "written by nobody", internal) for internal in ("3.1", "2.7")),
        *(("correct_at_once", "is not on", internal) for internal in ("3.1", "3.2")),
    ],
)
def test_a_solution_that_comes_back_after_a_lost_answer_is_seen(
    deed: str, told: str, internal: Version, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(apply, "announced", lambda link, *_: link)
    found = seen_of_a_solution_without_an_answer(Side.EXTERNAL, ("3.2", internal), deed)
    assert any(told in violation for violation in found)


@pytest.mark.parametrize(("side", "versions"), [(Side.EXTERNAL, ("3.1", "3.2")), (Side.INTERNAL, ("3.2", "3.1"))])
def test_a_solution_that_comes_back_as_the_other_side_closes_the_ticket_is_seen(
    side: Side, versions: Versions, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(form, "_stays", lambda *_: False)
    found = seen("close_what_the_other_solved", range(8), versions=versions, sides=[side])
    assert any("written by nobody" in violation for violation in found)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("choice", [0, 1])
def test_a_correction_that_an_old_value_overwrites_is_seen(choice: int, side: Side, monkeypatch: Patch) -> None:
    monkeypatch.setattr(form, "_stays", lambda *_: False)
    assert any("the corrected" in violation for violation in seen_of_a_correction(side, choice))


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("deed", ["copy_back", "quote_in_public", "forge_a_marker"])
def test_a_marker_that_cannot_stand_there_and_is_taken_for_ours_is_seen(deed: str, side: Side, monkeypatch: Patch) -> None:
    monkeypatch.setattr(entries._Place, "_by_us", frozenset())
    monkeypatch.setattr(entries._Place, "can_stand", lambda *_, **__: True)
    monkeypatch.setattr(entries._Place, "_is_quoted", lambda *_: False)
    found = seen(deed, sides=[side])
    assert any(f"of {side}: 'Note" in violation for violation in found)
    assert any("has no mirror on" in violation for violation in found)


def test_an_answer_to_a_mirror_that_is_wiped_out_and_taken_for_it_is_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr(entries._Place, "_is_quoted", lambda *_: False)
    assert any("0 times mirrored" in violation for violation in seen("answer_what_is_wiped_out", [0], before="note"))


def test_an_account_that_is_forgotten_is_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr(SideState, "as_account", lambda self, account, *_: replace(self, account=account))
    assert any(
        "number of tickets" in violation or "differ" in violation or "mirror" in violation
        for violation in seen_of_another_account()
    )


def test_a_story_that_is_sent_at_once_is_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr("itopsync.engine.pair.Pair.fitting_rules", lambda pair: pair.rules)
    assert seen_of_a_long_story() != []


def test_another_picture_that_is_taken_for_the_one_before_is_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr(richtext, "with_identities", lambda value: re.sub(r"<img[^>]*>", "x", value))
    assert any("the description shows" in violation for violation in seen("change_a_picture", [0, 0]))


def test_a_file_that_is_known_by_its_id_alone_is_seen(monkeypatch: Patch) -> None:
    for module in ("itopsync.reconcile.copies", "itopsync.engine.poll"):
        monkeypatch.setattr(f"{module}.born_together", lambda *_: True)
    assert any("has no copy" in violation for violation in seen("replace_a_file", before="attach"))


def test_copies_that_a_restore_took_away_and_are_let_go_are_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr("itopsync.engine.safeguard.with_vanished_held", lambda plan: plan)
    assert any("has no copy" in violation for violation in seen("lose_copies", [0], before="attach"))


# one ticket holds up others


def _raise(error: Exception, *_: Any) -> None:
    raise error


def _all_at_once(part: Any, read: Callable[[Any], list[Any]], *_: Any) -> tuple[list[Any], dict[int, Any]]:
    return read(part), {}


@pytest.mark.parametrize("how", [Oddity.LONG_AGO, Oddity.NEVER])
def test_a_date_that_ends_the_cycle_is_seen(how: Oddity, monkeypatch: Patch) -> None:
    right = Clock.write

    def wrong(self: Clock, value: str) -> str:
        if not value.startswith("20"):
            raise ValueError(value)
        return right(self, value)

    monkeypatch.setattr(Clock, "write", wrong)
    monkeypatch.setattr("itopsync.reconcile.form.why_not_carried", lambda *_: None)
    for module in ("apply", "failures", "plan"):
        monkeypatch.setattr(f"itopsync.engine.{module}.report_fault", _raise)
    found = seen_of_an_oddity(how, Side.EXTERNAL, "NormalChange")
    assert any("ended the cycle: ValueError" in violation for violation in found)


@pytest.mark.parametrize("how", [Oddity.FIRST_DAY, Oddity.NO_DATE, Oddity.SHAPE, Oddity.CODE_100])
@pytest.mark.parametrize("side", list(Side))
def test_an_answer_that_makes_a_side_unavailable_is_seen(how: Oddity, side: Side, monkeypatch: Patch) -> None:
    def strict(self: Reader, decode: Callable[[Any], Any], row: Any) -> Any:
        if not row.fields or "0001-01-01" in str(row.fields) or "'date': ''" in str(row.fields):
            raise Unreachable(self.side, "shows what is odd")
        return decode(row)

    monkeypatch.setattr("itopsync.itop.reader.read_piecewise", _all_at_once)
    monkeypatch.setattr(Reader, "_decode", strict)
    assert seen_of_an_oddity(how, side, "NormalChange") != []


@pytest.mark.parametrize("how", [Oddity.CORRECTED, Oddity.TIMEZONE])
def test_a_corrected_date_that_is_taken_for_another_ticket_is_seen(how: Oddity, monkeypatch: Patch) -> None:
    began: dict[object, str] = {}

    def wrong(link: Link, observation: Observation, rules: Rules, *_: object) -> str | None:
        if observation.external is None:
            return None
        begins = observation.external.fields[rules.for_external(link.external.cls).since_attribute]
        return "another ticket" if began.setdefault(link.external, begins) != begins else None

    monkeypatch.setattr("itopsync.reconcile.planner.mismatch", wrong)
    found = seen_of_an_oddity(how, Side.EXTERNAL, "UserRequest")
    assert any("other tickets than before" in violation for violation in found)
