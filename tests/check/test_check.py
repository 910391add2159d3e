"""What `itopsync check` finds: each fault is one line with its remedy, and none hides another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from itopsync.check import Finding, Level, check
from itopsync.errors import StoreFromTheFuture
from itopsync.itop import Secret, Server
from itopsync.model import Side
from itopsync.simulator import FaultKind
from tests.engine.rig import Rig

Change = Callable[[Rig], None]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Two servers, and a configuration with nothing wrong."""
    made = Rig(tmp_path)
    _defaults(Side.INTERNAL, org_id={"name": "Demo"})(made)
    yield made
    made.stop()


def findings(rig: Rig, settings: dict[Side, dict[str, Any]] | None = None) -> tuple[Finding, ...]:
    """What is found; *settings* replace those of a server."""
    loaded = rig.configuration
    changes = settings or {}
    external = replace(loaded.external, **changes.get(Side.EXTERNAL, {}))
    internal = replace(loaded.internal, **changes.get(Side.INTERNAL, {}))
    with (
        Server(external, rig.external.transport(), sleep=lambda _: None) as one,
        Server(internal, rig.internal.transport(), sleep=lambda _: None) as other,
    ):
        return check(loaded, {Side.EXTERNAL: one, Side.INTERNAL: other}, lambda: "0001", lambda: rig.now)


def wrong(found: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in found if finding.level is not Level.OK]


def test_nothing_is_wrong_and_nothing_is_written(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    found = findings(rig)
    assert wrong(found) == []
    assert rig.written() == 0
    assert any("1 tickets are in scope" in finding.what for finding in found)


def _defaults(side: Side, **changed: object) -> Change:
    def change(rig: Rig) -> None:
        rules = rig.configuration.rules
        of_side = rules.side(side)
        new = replace(of_side, defaults={**of_side.defaults, **changed})
        whole = replace(rules, external=new) if side is Side.EXTERNAL else replace(rules, internal=new)
        rig.configuration = replace(rig.configuration, rules=whole)

    return change


def _scope(condition: str) -> Change:
    return lambda rig: rig.restrict(condition)


def _without(side: Side, cls: str, *rights: Any) -> Change:
    def change(rig: Rig) -> None:
        simulator = rig.external if side is Side.EXTERNAL else rig.internal
        simulator.accounts["sync"] = simulator.accounts["sync"].without(cls, *rights)

    return change


def _maintenance(rig: Rig) -> None:
    rig.internal.maintenance = True


def _clock_off(rig: Rig) -> None:
    rig.external.clock_offset = timedelta(minutes=20)


def _public_log(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.customer.note("UserRequest", number, "<p>Anybody?</p>", log="public_log")


def _many(rig: Rig) -> None:
    for n in range(201):
        rig.customer.create("UserRequest", title=f"No. {n}")


@pytest.mark.parametrize(
    ("change", "level", "side", "words"),
    [
        (_defaults(Side.INTERNAL, agent_id=9999), Level.FAULT, Side.INTERNAL, "internal.defaults.agent_id"),
        (_defaults(Side.INTERNAL, org_id={"name": "Nobody's"}), Level.FAULT, Side.INTERNAL, "finds no Organization"),
        (_defaults(Side.INTERNAL, org_id="SELECT Organization"), Level.FAULT, Side.INTERNAL, "not one"),
        (_defaults(Side.EXTERNAL, agent_id="SELECT Nonsense"), Level.FAULT, Side.EXTERNAL, "external.defaults.agent_id"),
        (_defaults(Side.EXTERNAL, agent_id=1), Level.FAULT, Side.EXTERNAL, "no member"),
        (_scope("nonsense = 1"), Level.FAULT, Side.EXTERNAL, "scope of UserRequest"),
        (_without(Side.INTERNAL, "Incident", "write"), Level.FAULT, Side.INTERNAL, "Incident"),
        (_without(Side.EXTERNAL, "Problem", "read"), Level.FAULT, Side.EXTERNAL, "Problem"),
        (_without(Side.INTERNAL, "Attachment", "delete"), Level.FAULT, Side.INTERNAL, "delete attachments"),
        (_maintenance, Level.FAULT, Side.INTERNAL, "maintenance"),
        (_clock_off, Level.WARNING, Side.EXTERNAL, "differ by 20 minutes"),
        (_public_log, Level.WARNING, Side.EXTERNAL, "public log"),
        (_many, Level.WARNING, Side.EXTERNAL, "201 tickets are in scope"),
    ],
)
def test_what_is_wrong_is_one_finding_with_a_remedy(rig: Rig, change: Change, level: Level, side: Side, words: str) -> None:
    change(rig)
    bad = wrong(findings(rig))
    assert [(one.level, one.side) for one in bad] == [(level, side)] * len(bad)
    assert any(words in finding.what for finding in bad)
    assert all(finding.remedy for finding in bad)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"password": Secret("wrong")}, "password"),
        ({"username": "norest", "password": Secret("norest-password")}, "REST Services User"),
        ({"date_format": "d/m/Y H:i"}, "date_format"),
        ({"timezone": ZoneInfo("America/Los_Angeles")}, "timezone"),
    ],
)
def test_a_wrong_setting_of_a_server_is_found(rig: Rig, settings: dict[str, Any], words: str) -> None:
    rig.customer.create("UserRequest", title="Printer")
    bad = wrong(findings(rig, {Side.EXTERNAL: settings}))
    assert bad
    assert all(finding.side is Side.EXTERNAL for finding in bad)
    assert any(words in f"{finding.what} {finding.remedy}" for finding in bad)


def test_a_wrong_address_shown_in_texts_is_told(rig: Rig) -> None:
    picture = '<img src="https://desk.example.com/pages/ajax.document.php?operation=download_inlineimage&amp;id=1&amp;s=ab">'
    rig.customer.create("UserRequest", title="Printer", description=f"<p>Look {picture}</p>")
    (bad,) = wrong(findings(rig))
    assert "https://desk.example.com" in bad.what
    assert "external.public_url" in bad.remedy


def test_one_fault_hides_no_other(rig: Rig) -> None:
    _defaults(Side.INTERNAL, agent_id=9999, org_id={"name": "Nobody's"})(rig)
    _without(Side.EXTERNAL, "Problem", "read")(rig)
    assert len(wrong(findings(rig))) >= 3


def test_a_store_that_cannot_be_used_is_a_finding(rig: Rig) -> None:
    def opening() -> str | None:
        raise StoreFromTheFuture

    rig.external.faults.add(FaultKind.LOST_BEFORE, accounts=["sync"])
    rig.internal.faults.add(FaultKind.LOST_BEFORE, accounts=["sync"])
    loaded = rig.configuration
    with (
        Server(loaded.external, rig.external.transport(), sleep=lambda _: None) as one,
        Server(loaded.internal, rig.internal.transport(), sleep=lambda _: None) as other,
    ):
        found = check(loaded, {Side.EXTERNAL: one, Side.INTERNAL: other}, opening, lambda: rig.now)
    assert [finding.side for finding in found] == [None, Side.EXTERNAL, Side.INTERNAL]
    assert all(finding.level is Level.FAULT for finding in found)
