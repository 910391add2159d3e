"""Look-ups and conditions of routes on which a server fails, while it answers other questions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from itopsync.model import Side
from itopsync.simulator import Simulator
from tests.engine.test_routes import BY_EMAIL, DEMO, HELPDESK, NETWORK, ROUTES, person
from tests.engine.test_unreadable import FailingRig


@dataclass
class SlowRig(FailingRig):
    """A rig whose servers take two minutes to fail."""

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        through = super().make_transport(simulator)

        def reply(request: httpx.Request) -> httpx.Response:
            answer = through.handle_request(request)
            if answer.status_code == 500:
                self.now += timedelta(minutes=2)
            return answer

        return httpx.MockTransport(reply)


MEETING = """
[[internal.routes]]
condition = "this.title LIKE 'Odd%'"
set = { team_id = { name = "Helpdesk" } }
"""


@pytest.mark.parametrize(
    ("routes", "side", "asked"),
    [
        (BY_EMAIL, Side.EXTERNAL, "SELECT Person WHERE id IN"),
        (BY_EMAIL, Side.INTERNAL, "SELECT Person WHERE email IN"),
        (MEETING, Side.EXTERNAL, "AND \\(this.title LIKE"),
        (MEETING, Side.INTERNAL, "SELECT Team WHERE name IN"),
    ],
)
def test_a_look_up_on_which_a_server_fails_is_the_trouble_of_the_ticket_that_needs_it(
    tmp_path: Path, routes: str, side: Side, asked: str
) -> None:
    rig = FailingRig(tmp_path, routes, failing=side)
    linked = rig.customer.create("UserRequest", title="Linked")
    rig.sync()
    rig.settle()
    rig.wait(hours=2)  # what was looked up is looked up again
    rig.pattern.append(asked)
    odd = rig.customer.create("UserRequest", title="Odd", org_id=DEMO, caller_id=person(rig.customer, "odd@demo.com"))
    rig.customer.note("UserRequest", linked, "<p>Any news?</p>")
    assert rig.sync().problems == {}
    assert any("Any news?" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(linked)))
    assert [obstacle.key for obstacle in rig.link(odd).obstacles] == ["ticket"]
    rig.pattern.clear()
    rig.wait(minutes=6)
    rig.settle()
    assert rig.link(odd).obstacles == ()
    assert rig.differences() == []
    rig.stop()


FAILING = """
[[internal.routes]]
name = "odd"
{when}
set = {{ team_id = {team} }}
[[internal.routes]]
name = "plain"
when = {{ title = "Plain" }}
set = {{ team_id = {{ name = "Network support" }} }}
"""


@pytest.mark.parametrize(
    ("route", "side", "asked", "reason"),
    [
        (
            ('when = { title = { pattern = "Odd*" } }', "\"SELECT Team WHERE name = 'Helpdesk'\""),
            Side.INTERNAL,
            "WHERE name = 'Helpdesk'",
            "route odd: team_id: no answer yet to the look-up (SELECT Team WHERE name = 'Helpdesk'): internal: ",
        ),
        (
            ('when = { title = { pattern = "Odd*" } }', '{ name = "Helpdesk" }'),
            Side.INTERNAL,
            "SELECT Team WHERE name IN .*Helpdesk",
            "route odd: team_id: no answer yet to the look-up (name = Helpdesk): internal: ",
        ),
        (
            ('when = { org_id = { code = "SOMECODE" }, title = { pattern = "Odd*" } }', "37"),
            Side.EXTERNAL,
            "SOMECODE",
            "route odd: no answer yet to the look-up (code = SOMECODE): external: ",
        ),
        (
            ('when = { title = { pattern = "Odd*" } }\ncondition = "this.title LIKE \'Odd%\'"', "37"),
            Side.EXTERNAL,
            "AND \\(this.title LIKE",
            "route odd: no answer yet to the condition (this.title LIKE 'Odd%'): external: ",
        ),
    ],
)
def test_what_a_server_does_not_answer_holds_up_only_what_needs_it_and_parks_nothing(
    tmp_path: Path, route: tuple[str, str], side: Side, asked: str, reason: str
) -> None:
    when, team = route
    rig = FailingRig(tmp_path, FAILING.format(when=when, team=team), failing=side)
    rig.pattern.append(asked)
    odd = [rig.customer.create("UserRequest", title=f"Odd {n}", org_id=1) for n in range(20)]
    plain = rig.customer.create("UserRequest", title="Plain")
    other = rig.customer.create("UserRequest", title="Other")
    assert rig.sync().problems == {}
    assert len(rig.failed) <= 8
    assert rig.internal.ticket("UserRequest", rig.copy_of(plain))["team_id"] == NETWORK
    assert rig.internal.ticket("UserRequest", rig.copy_of(other))["team_id"] == 39
    for _ in range(10):  # more often than anything is tried
        rig.wait(hours=1)
        rig.sync()
    for number in odd:
        (obstacle,) = rig.link(number).obstacles
        assert obstacle.reason.startswith(reason)
        assert (obstacle.key, obstacle.tries, obstacle.parked) == ("ticket", 0, False)
    rig.pattern.clear()
    rig.wait(minutes=6)
    rig.settle(2)
    assert {rig.internal.ticket("UserRequest", rig.copy_of(number))["team_id"] for number in odd} == {HELPDESK}
    rig.stop()


def test_a_state_that_waits_for_an_answer_holds_up_no_note(tmp_path: Path) -> None:
    rig = FailingRig(tmp_path, ROUTES, failing=Side.INTERNAL)
    rig.pattern.append("SELECT Team WHERE name IN")
    number = rig.customer.create("UserRequest", title="Printer", service_id=1)
    rig.sync()
    rig.customer.update("UserRequest", number, title="VPN is down")
    rig.customer.stimulus("UserRequest", number, "ev_assign", team_id=39, agent_id=9)
    rig.customer.note("UserRequest", number, "<p>Any news?</p>")
    rig.operator.update("UserRequest", rig.copy_of(number), team_id=0)
    rig.wait(minutes=6)
    rig.sync()
    assert any("Any news?" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number)))
    (obstacle,) = rig.link(number).obstacles
    assert obstacle.key == "state"
    assert obstacle.reason.startswith("route route 3: team_id: no answer yet to the look-up (name = Helpdesk): internal: ")
    rig.pattern.clear()
    rig.wait(minutes=6)
    rig.settle(2)
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert (copy["status"], copy["team_id"]) == ("assigned", HELPDESK)
    rig.stop()


@pytest.mark.parametrize(
    ("routes", "side", "asked"),
    [
        (
            FAILING.format(
                when='when = { title = { pattern = "Odd*" } }\ncondition = "this.title LIKE \'Odd%\'"',
                team=37,
            ),
            Side.EXTERNAL,
            "AND \\(this.title LIKE",
        ),
        (
            "".join(
                f'[[internal.routes]]\nwhen = {{ title = "Odd {n}" }}\nset = {{ team_id = "SELECT Team WHERE id = {n}" }}\n'
                for n in range(9)
            ),
            Side.INTERNAL,
            "SELECT Team",
        ),
    ],
)
def test_what_takes_a_server_long_to_fail_on_is_asked_once_and_rests_long(
    tmp_path: Path, routes: str, side: Side, asked: str
) -> None:
    """Else twenty tickets would wait for forty time-outs, and everything else with them."""
    rig = SlowRig(tmp_path, routes, failing=side)
    plain = rig.customer.create("UserRequest", title="Plain")
    rig.pattern.append(asked)
    for n in range(20):
        rig.customer.create("UserRequest", title=f"Odd {n}")
    rig.sync()
    once = len(rig.failed)
    assert 0 < once <= 3  # the client asks again what may have failed by chance
    assert rig.link(plain).internal is not None
    rig.wait(minutes=2)
    rig.sync()
    assert len(rig.failed) == once
    rig.wait(minutes=40)
    rig.sync()
    assert len(rig.failed) == 2 * once
    rig.stop()


def test_one_ticket_on_which_a_condition_fails_holds_up_no_other(tmp_path: Path) -> None:
    rig = FailingRig(tmp_path, FAILING.format(when="condition = \"this.title LIKE 'Odd%'\"", team=37), failing=Side.EXTERNAL)
    odd, *others = [rig.customer.create("UserRequest", title=f"Odd {n}") for n in range(8)]
    rig.pattern.append(rf"IN \((\d+,)*{odd}(,\d+)*\) AND \(this.title LIKE")
    rig.sync()
    assert {rig.internal.ticket("UserRequest", rig.copy_of(number))["team_id"] for number in others} == {HELPDESK}
    assert len(rig.link(odd).obstacles) == 1
    rig.stop()


def test_a_server_that_is_away_as_something_is_looked_up_is_held_against_no_ticket(tmp_path: Path) -> None:
    rig = FailingRig(tmp_path, BY_EMAIL, failing=Side.INTERNAL)
    rig.pattern += ["SELECT Person WHERE email IN", "WHERE id = 2147483647"]
    number = rig.customer.create("UserRequest", title="Odd", org_id=DEMO, caller_id=person(rig.customer, "odd@demo.com"))
    assert Side.INTERNAL in rig.sync().problems
    assert rig.link(number).obstacles == ()
    rig.stop()
