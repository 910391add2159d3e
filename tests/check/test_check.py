"""The whole check: nothing is written, one fault hides no other, and what is not looked at is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itopsync.check.finding import Level
from itopsync.errors import StoreFromTheFuture, StoreOutdated
from itopsync.model import Side
from itopsync.settings.secrets import Secret
from itopsync.simulator import FaultKind
from tests.check.conftest import Checked

EXTERNAL, INTERNAL = Side


def test_nothing_is_wrong_and_nothing_is_written(rig: Checked) -> None:
    rig.customer.create("UserRequest", title="Printer")
    assert rig.wrong() == []
    assert rig.written() == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"password": Secret("wrong")}, "the login is refused (Invalid login). Check username, password and login;"),
        (
            {"username": "norest", "password": Secret("norest-password")},
            "the account lacks the profile REST Services User. Give it to the account in iTop.",
        ),
    ],
)
def test_a_side_that_takes_no_login_is_one_fault_and_the_other_is_looked_at(
    rig: Checked, settings: dict[str, object], words: str
) -> None:
    rig.settings(EXTERNAL, **settings)
    fault = rig.fault(EXTERNAL)
    assert fault.startswith(words)
    assert fault.endswith("The rest of this side was not checked.")
    assert len([finding for finding in rig.findings() if finding.side is INTERNAL]) > 10


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (FaultKind.LOST_BEFORE, "gave no answer"),
        (FaultKind.HTML_200, "answered something else than iTop's JSON"),
        (FaultKind.HTML_500, "failed (HTTP 500)"),
        (FaultKind.MAINTENANCE, "is in maintenance (HTTP 503)"),
    ],
)
def test_a_side_that_is_down_is_one_fault(rig: Checked, kind: FaultKind, words: str) -> None:
    rig.internal.faults.add(kind, accounts=["sync"])
    fault = rig.fault(INTERNAL)
    assert fault.startswith(words)
    assert fault.endswith("The rest of this side was not checked.")


def test_a_side_that_goes_away_while_it_is_looked_at_is_not_asked_on(rig: Checked) -> None:
    rig.settings(INTERNAL, read_tries=1)
    rig.internal.faults.add(FaultKind.MAINTENANCE, accounts=["sync"], after=30)
    *_, last = rig.wrong()
    assert last.what == "it became unavailable during the check: it is in maintenance (HTTP 503)"
    assert last.remedy == "The rest of this side was not checked."
    served = rig.internal.served
    rig.findings()
    assert rig.internal.served - served == 1


def test_a_read_that_fails_alone_hides_nothing_else(rig: Checked) -> None:
    rig.external.faults.add(FaultKind.HTML_500, classes=["Person"])
    assert "failed (HTTP 500)" in rig.fault(EXTERNAL)
    assert rig.told(EXTERNAL, "tickets are in scope")


def test_one_fault_hides_no_other(rig: Checked) -> None:
    rig.defaults(INTERNAL, agent_id=9999, caller_id={"name": "Nobody's"})
    rig.without(EXTERNAL, "Problem", "read")
    rig.without(INTERNAL, "Incident", "write")
    rig.settings(EXTERNAL, date_format="d/m/Y H:i")
    rig.customer.create("UserRequest", title="Printer")
    found = [finding.what for finding in rig.wrong()]
    for words in ("agent_id", "caller_id", "Problem", "change Incident", "date"):
        assert any(words in what for what in found), words


def test_a_scope_that_begins_in_the_future_is_a_fault(rig: Checked) -> None:
    rig.rules(since="2027-01-01T00:00:00+00:00")
    assert [finding.what for finding in rig.wrong()] == ["scope.since is in the future: no ticket would be copied"]
    rig.wait(days=100)
    assert rig.wrong() == []


@pytest.mark.parametrize("error", [StoreFromTheFuture, StoreOutdated])
def test_a_store_that_cannot_be_used_is_a_fault_of_its_own(
    rig: Checked, monkeypatch: pytest.MonkeyPatch, error: type[StoreOutdated | StoreFromTheFuture]
) -> None:
    def refuse() -> str | None:
        raise error("The store has another schema. Run this command.")

    monkeypatch.setattr(rig, "open_store", refuse)
    found = rig.the_one(Level.FAULT, None)
    assert (found.what, found.remedy) == ("The store has another schema", "Run this command.")


def test_a_store_that_is_not_there_yet_is_none(rig: Checked) -> None:
    rig.revision = None
    assert rig.told(None, "store") == "there is no store yet; the first run creates it"


def test_whether_a_file_fits_into_a_request_is_told(rig: Checked) -> None:
    assert "the largest request that it accepts is unknown (max_request): texts are cut to 8,000,000" in rig.told(
        Side.EXTERNAL, "the largest request"
    )
    internal = rig.configuration.internal
    rig.configuration = replace(rig.configuration, internal=internal.model_copy(update={"max_request": 2**26}))
    assert "fits into a request of max_request, 67,108,864 bytes" in rig.told(Side.INTERNAL, "max_request")
    rig.configuration = replace(rig.configuration, internal=internal.model_copy(update={"max_request": 2**23}))
    assert "20,000,000 bytes, does not fit into a request of max_request, 8,388,608 bytes" in rig.warning(Side.INTERNAL)
