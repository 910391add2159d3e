"""What the servers call themselves."""

from __future__ import annotations

from itopsync.check.finding import Level
from itopsync.model import Side
from tests.check.conftest import Checked

EXTERNAL, INTERNAL = Side


def test_an_address_that_nobody_configured(rig: Checked) -> None:
    rig.internal.url = "https://desk.example.com"
    fault = rig.fault(INTERNAL)
    assert fault.startswith("its own address (app_root_url) is https://desk.example.com, which is neither url nor public_url")
    assert fault.endswith("Set internal.public_url to https://desk.example.com.")
    rig.side_rules(INTERNAL, public_url="https://desk.example.com")
    assert rig.wrong() == []


def test_a_public_url_that_itop_does_not_call_itself(rig: Checked) -> None:
    rig.side_rules(EXTERNAL, public_url="https://customers.example.com")
    assert rig.warning(EXTERNAL).startswith(
        "its own address (app_root_url) is http://127.0.0.1:8081, and public_url is https://customers.example.com."
    )


def test_one_server_under_two_addresses(rig: Checked) -> None:
    rig.internal = rig.external
    rig.settings(INTERNAL, url="http://localhost:8081", timezone=rig.configuration.external.timezone)
    rig.side_rules(INTERNAL, url="http://localhost:8081", public_url="http://127.0.0.1:8081")
    assert rig.fault(INTERNAL).startswith("both sides have the address http://127.0.0.1:8081 (app_root_url): they are one server")


def test_a_server_that_was_made_from_a_copy_of_the_other(rig: Checked) -> None:
    rig.customer.create("UserRequest", title="Printer", description="<p>Dark</p>")
    rig.internal.restore(rig.external.snapshot())
    rig.internal.timezone = rig.external.timezone
    rig.settings(INTERNAL, timezone=rig.configuration.external.timezone)
    assert rig.warning(INTERNAL).startswith("both sides have the same ticket R-000001")


def test_a_copy_that_we_made_is_not_the_same_ticket(rig: Checked) -> None:
    rig.internal.timezone = rig.external.timezone
    rig.settings(INTERNAL, timezone=rig.configuration.external.timezone)
    rig.restart()
    rig.customer.create("UserRequest", title="Printer", description="<p>Dark</p>")
    rig.engine.cycle()
    (copy,) = rig.internal.tickets()
    original = rig.external.ticket("UserRequest", 1)
    same = ("id", "ref", "title", "description", "start_date", "last_update")
    assert [copy[name] for name in same] == [original[name] for name in same]
    assert [finding for finding in rig.findings() if finding.level is Level.WARNING] == []
