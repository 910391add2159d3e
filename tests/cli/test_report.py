"""A month's evidence, as an operator asks for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk


def _month() -> str:
    """The month that it is in internal, asked anew by each test: it may end while they run."""
    return f"{datetime.now(UTC).astimezone(ZoneInfo('Europe/Paris')):%Y-%m}"


def test_a_report_is_written_and_held_against_the_store(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Zebra")
    desk.itopsync("run-once")
    done = desk.itopsync("report", "--month", _month(), "--output", "r.html")
    assert (done.returncode, done.stdout) == (ExitCode.WELL, "Wrote r.html.\n")
    page = (desk.folder / "r.html").read_text()
    assert "R-000001" in page
    assert "Zebra" not in page
    checked = desk.itopsync("report", "--check", "r.html")
    assert (checked.returncode, checked.stdout) == (
        ExitCode.WELL,
        "r.html is as it was made.\nEvery line of it is what the store says.\n",
    )
    (desk.folder / "r.html").write_text(page.replace("of these new</td><td>1", "of these new</td><td>2"))
    changed = desk.itopsync("report", "--check", "r.html")
    assert (changed.returncode, changed.stdout.splitlines()) == (
        ExitCode.TROUBLED,
        [
            "r.html was changed after it was made.",
            "It differs from what the store says.",
            "  by the file: of these new 2",
            "  by the store: of these new 1",
        ],
    )


def test_a_right_checksum_is_not_told_as_proof_and_what_was_pruned_is_said(desk: Desk) -> None:
    desk.itopsync("report", "--format", "csv", "--output", "r.csv")
    toml = desk.folder / "sync.toml"
    toml.write_text(toml.read_text().replace('label = "Cust', 'label = "New cust', 1) + '\n[activity]\nkeep = "1d"\n')
    told = desk.itopsync("report", "--check", "r.csv")
    first, second, *lines = told.stdout.splitlines()
    assert (told.returncode, first) == (ExitCode.TROUBLED, "r.csv has its checksum, which proves nothing.")
    assert "the store, or sync.toml, has changed since, or the file has, and was given a new checksum" in second
    assert lines[0].startswith('  by the file: report,,,external,"Customer desk')
    assert lines[1].startswith('  by the store: report,,,external,"New customer desk')
    assert "is kept no longer: the store may lack it for that reason." in lines[-1]


@pytest.mark.usefixtures("no_store")
def test_json_goes_to_standard_output_and_the_last_month_is_meant(desk: Desk) -> None:
    told = json.loads(desk.itopsync("report", "--format", "json").stdout)
    months = {line["what"]: line.get("value") for line in told["lines"] if line["part"] == "report"}
    assert months["pair"] == "demo"
    assert months["month"] < _month()
    assert not (desk.folder / "store.sqlite").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--month", "November"), "'November' is no month; write it as 2026-11"),
        (("--month", "0001-01"), "'0001-01' is no month; write it as 2026-11"),
        (("--month", "2026-10-31"), "'2026-10-31' is no month; write it as 2026-11"),
        (("--month", "2026-W40"), "'2026-W40' is no month; write it as 2026-11"),
        (("--month", "2999-01"), "2999-01 has not begun yet"),
        (("--month", "2026-01", "--output", "sync.toml"), "sync.toml cannot be written: File exists"),
        (("--check", "sync.toml"), "sync.toml has no checksum of a report"),
        (("--check", "nothing"), "nothing cannot be read: No such file"),
    ],
)
def test_what_cannot_be_done_is_told(desk: Desk, arguments: tuple[str, ...], told: str) -> None:
    done = desk.itopsync("report", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert told in " ".join(done.stderr.replace("│", " ").split())
