"""A log that its server calls full, by the command line: what is said until when notes wait, and how few files they become."""

from __future__ import annotations

import re

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk
from tests.engine.rig import TEAM

REQUEST = "UserRequest"
WORDS = [f"Word{n:02}." for n in range(70)]
REASON = "the log is full: what comes until then goes as one file, and there is nothing to do"
TIME = r"\d\d:\d\d"


def test_seventy_notes_wait_without_trouble_and_go_with_the_state(desk: Desk) -> None:
    number = desk.customer.create(REQUEST, title="Printer", private_log="<p>Hello</p>", service_id=1)
    desk.itopsync("run-once")
    (copy,) = (ticket["id"] for ticket in desk.internal.tickets() if ticket["title"] == "Printer")
    desk.operator.fill_log(REQUEST, copy)
    desk.itopsync("run-once")
    for word in WORDS:
        desk.customer.note(REQUEST, number, f"<p>{word}</p>")

    assert re.search(rf"gathered into one file \(until {TIME} UTC: {REASON}\)", desk.itopsync("plan").stdout)
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    assert desk.internal.ticket(REQUEST, copy)["attachments"] == []
    assert desk.itopsync("plan").stdout.startswith("Nothing to write now.")
    told = desk.itopsync("status").stdout
    assert re.search(rf"gathered until \d\d-\d\d {TIME} +{REASON}", told)
    assert "parked" not in told
    assert re.search(r"^links: 1 linked, 1 gathering *$", told, re.MULTILINE)
    shown = desk.itopsync("show", "1").stdout
    assert re.search(rf"gathered until .* {TIME} UTC: log:internal:private_log:notes: {REASON}", shown)
    verified = desk.itopsync("verify")
    assert (verified.returncode, "1 of 1 linked tickets agree" in verified.stdout) == (ExitCode.WELL, True)

    desk.customer.stimulus(REQUEST, number, "ev_assign", **TEAM)
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    after = desk.internal.ticket(REQUEST, copy)
    files = [attachment["contents"] for attachment in after["attachments"]]
    assert (after["status"], len(files)) == ("assigned", 5)
    assert re.findall(r"Word\d\d\.", "".join(file.data.decode() for file in files)) == WORDS
    assert files[0].filename.startswith("log-is-full-notes-")
    assert desk.itopsync("verify").returncode == ExitCode.WELL
