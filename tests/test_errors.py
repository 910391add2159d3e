"""The table of messages has a row for each that is in the source, and none besides."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from itopsync.exits import ExitCode
from tests.messages import Message, messages

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "errors.md").read_text()
ROWS = re.findall(r"^\| `(.+?)` \| (.*?) \| (.+?) \|$", PAGE, re.MULTILINE)
MADE_ELSEWHERE = {
    "engine/writing.py: ",
    "engine/safeguard.py: whole_of",
    "reconcile/identity.py: needing_a_person",
    "engine/marker_loss.py: refuse_lossy",
    "engine/observe.py: _why_at_rest",
    "engine/pair.py: ",
    "engine/steering.py: _amend",
    "engine/workers.py: ",
    "daemon/loop.py: ",
    "cli/session.py: ",
    "cli/verifying.py: ",
    "check/checking.py: _check_store",
    "check/defaults.py: _look_up",
    "check/finding.py: refusal",
    "cli/by_hand.py: _link_two",
    "cli/taking_over.py: _examine",
    "cli/taking_over.py: propose",
    "cli/durations.py: read",
    "cli/durations.py: read_time",
    "config/attributes.py: _check_way_of_template",
    "config/faults.py: _told",
    "config/faults.py: _told_of_lines",
    "config/loader.py: _parse_toml",
    "config/loader.py: _report",
    "config/loader.py: parse",
    "itop/settings.py: _check_date_format",
    "settings/addresses.py: read_address",
    "settings/secrets.py: _read_password",
    "itop/answers.py: _no_answer",
    "itop/inquiry.py: get",
    "reconcile/agree.py: refused",
    "reconcile/creation.py: plan_creation",
    "reconcile/form.py: render",
    "reconcile/part.py: park",
    "reconcile/part.py: put_off",
    "reconcile/plan.py: parked",
    "reconcile/planner.py: _parked_as_another",
    "reconcile/planner.py: _replaced",
    "reconcile/safety.py: check",
    "reconcile/state.py: _follow",
    "reconcile/state.py: _state_writes",
    "store/connection.py: unavailable",
    "store/upkeep.py: copy",
}
"""What passes on words that another function in the table, a server, a database or a library has made."""


def test_every_message_has_a_row() -> None:
    told = {row[0] for row in ROWS}
    assert [message for message in sorted(messages()) if message.text not in told and message.text != "…"] == []


def test_every_row_is_of_a_message() -> None:
    said = {message.text for message in messages()}
    assert [row[0] for row in ROWS if row[0] not in said] == []


def test_no_message_has_two_rows_and_every_row_says_what_to_do() -> None:
    assert [text for text, count in Counter(row[0] for row in ROWS).items() if count > 1] == []
    assert len(ROWS) == len(re.findall(r"^\| `", PAGE, re.MULTILINE))


def test_a_message_without_words_of_its_own_is_known_to_be_made_elsewhere() -> None:
    assert {message.place for message in messages() if message.text == "…"} == MADE_ELSEWHERE


@pytest.mark.parametrize("code", [code for code in ExitCode if code is not ExitCode.WELL])
def test_every_exit_code_has_its_section(code: ExitCode) -> None:
    assert re.search(rf"^## .+exit code {code.value}\b", PAGE, re.MULTILINE)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('raise StoreError("the store is on fire. Put it out.")', "the store is on fire"),
        ('def f():\n    raise Refused(side, f"{what} is wet")', "… is wet"),
        ('def f():\n    what = f"{name} is dry"\n    return Missing(side, what)', "… is dry"),
        ('def f():\n    raise TooLarge(side, "wide" if wide else "long")', "long"),
        ("raise Maintenance", "…"),
        ("def f():\n    raise Maintenance(side, text())", "…"),
    ],
)
def test_a_new_message_is_found(source: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text(source)
    assert text in {message.text for message in messages(tmp_path)} - {row[0] for row in ROWS}


@pytest.mark.parametrize(
    ("folder", "source", "text"),
    [
        ("config", 'context.faults.add(key, "it is too green", "Paint it.")', "it is too green"),
        ("config", 'raise ValueError("it must be blue")', "it must be blue"),
        ("check", 'yield warning(side, "it looks odd", "Look at it.")', "it looks odd"),
        ("reconcile", 'situation.park(item, "it is asleep")', "it is asleep"),
    ],
)
def test_a_new_fault_or_finding_is_found(folder: str, source: str, text: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "new.py").write_text(f"def f():\n    {source}\n")
    assert messages(tmp_path) == {Message(text, f"{folder}/new.py: f")}
