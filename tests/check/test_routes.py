"""Routes: what they name on either server, which of them no ticket reaches, and whether what they set fits together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itopsync.check.finding import Level
from itopsync.model import Side
from tests.check.conftest import Checked

Opens = Callable[[str], Checked]
EXTERNAL, INTERNAL = Side
FITS = "when = { org_id = 3 }"


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Opens]:
    """Opens a pair with routes, and with nothing else wrong."""
    made: list[Checked] = []

    def opened(more: str) -> Checked:
        rig = Checked(tmp_path, more)
        rig.defaults(Side.INTERNAL, org_id={"name": "Demo"})
        made.append(rig)
        return rig

    yield opened
    for rig in made:
        rig.stop()


def route(set: str, when: str = FITS, side: Side = INTERNAL, more: str = "") -> str:
    return f'[[{side}.routes]]\nname = "acme"\n{when}\nset = {{ {set} }}\n{more}\n'


def test_routes_with_nothing_wrong(opens: Opens) -> None:
    rig = opens(
        route('team_id = { name = "Helpdesk" }, agent_id = 9', 'when = { org_id = { code = "IT" } }')
        + route("service_id = \"SELECT Service WHERE name = 'Software'\"", 'condition = "this.id = 1"')
        + route('caller_id = { email_of = "caller_id", otherwise = { email = "pablo.picasso@demo.com" } }')
    )
    assert rig.wrong() == []
    assert rig.told(INTERNAL, "internal.routes: ") == "internal.routes: 3 routes, which name 4 objects here"
    assert rig.told(INTERNAL, "by e-mail") == rig.told(EXTERNAL, "by e-mail") == "callers can be looked up by e-mail"


@pytest.mark.parametrize(
    ("set", "words"),
    [
        ('team_id = { name = "Nobody" }', "acme: set.team_id finds no Team (name = Nobody): the next value is used instead."),
        (
            'agent_id = { first_name = "Pablo", name = "Nobody" }',
            "acme: set.agent_id finds no Person (first_name = Pablo, name = Nobody): the next value is used instead.",
        ),
        (
            'team_id = "SELECT Team"',
            "acme: set.team_id finds 4 objects of Team, not one (SELECT Team): the next value is used instead.",
        ),
        ('team_id = { nonsense = "x" }', "acme: set.team_id cannot be looked up (nonsense = x)."),
        ('team_id = "SELECT Nonsense"', "acme: set.team_id cannot be looked up (SELECT Nonsense)."),
        (
            'team_id = { name = "x", otherwise = { name = "Helpdesk" } }',
            "acme: set.team_id finds no Team (name = x): the next value is used instead.",
        ),
    ],
)
def test_what_a_route_sets_and_is_not_one_object(opens: Opens, set: str, words: str) -> None:
    assert opens(route(set)).warning(INTERNAL).startswith(f"internal.routes: {words} ")


def test_an_id_that_there_is_not_would_be_refused(opens: Opens) -> None:
    assert (
        opens(route("team_id = 9999")).fault(INTERNAL).startswith("internal.routes: acme: set.team_id finds no Team (id = 9999).")
    )


def test_what_is_tried_before_a_default_is_looked_up_too(opens: Opens) -> None:
    rig = opens('[internal.defaults.requestor_id]\nemail = "nobody@example.com"\notherwise = 0\n')
    assert rig.warning(INTERNAL).startswith(
        "internal.defaults.requestor_id finds no Person (email = nobody@example.com): the next value is used instead. "
    )


def test_all_that_is_wrong_is_told_at_once_and_what_is_named_twice_once(opens: Opens) -> None:
    names = ["Helpdesk", "Gone", "Gone", "Lost"]
    rig = opens("".join(route(f'team_id = {{ name = "{name}" }}', f"when = {{ org_id = {n} }}") for n, name in enumerate(names)))
    assert [finding.what for finding in rig.wrong()] == [
        "internal.routes: acme: set.team_id and 1 more finds no Team (name = Gone): the next value is used instead",
        "internal.routes: acme: set.team_id finds no Team (name = Lost): the next value is used instead",
    ]


def test_what_a_route_looks_for_in_external_and_is_not_there(opens: Opens) -> None:
    rig = opens(route("team_id = 37", 'when = { org_id = { code = "NONE" } }'))
    assert rig.warning(EXTERNAL) == (
        "internal.routes: acme: when.org_id finds no Organization (code = NONE): no ticket has it. "
        "Name one that exists, or remove it."
    )


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        ('{ name = "Dmeo" }', "friendlyname = dmeo"),
        ('{ name = ["Demo", "Dmeo"] }', "friendlyname = dmeo"),
        ('{ pattern = "Dme*" }', "friendlyname = dme*"),
        ('{ pattern = ["D?mo", "It dep*", "*x?"] }', "friendlyname = *x?"),
        ("[3, 99]", "id = 99"),
    ],
)
def test_what_a_route_knows_by_name_or_id_and_is_not_there(opens: Opens, demand: str, words: str) -> None:
    rig = opens(route("team_id = 37", f"when = {{ org_id = {demand} }}"))
    assert rig.warning(EXTERNAL) == (
        f"internal.routes: acme: when.org_id finds no Organization ({words}): no ticket has it. "
        "Name one that exists, or remove it."
    )


def test_what_a_ticket_shows_by_name_needs_no_right_to_read_it(opens: Opens) -> None:
    rig = opens(route("team_id = 37", 'when = { caller_id = { name = "Alice Agent" } }'))
    rig.defaults(EXTERNAL, agent_id=0, manager_id=0, supervisor_id=0)
    rig.without(EXTERNAL, "Person", "read")
    assert rig.wrong() == []


def test_the_routes_of_external_are_looked_up_there(opens: Opens) -> None:
    rig = opens(route('team_id = { name = "Nobody" }', side=EXTERNAL))
    assert rig.warning(EXTERNAL).startswith("external.routes: acme: set.team_id finds no Team (name = Nobody)")


def test_a_route_that_no_ticket_reaches(opens: Opens) -> None:
    rig = opens(route("team_id = 37") + route("team_id = 38", 'when = { org_id = 3, title = "x" }').replace("acme", "late"))
    assert rig.warning(INTERNAL) == (
        "internal.routes: no ticket reaches late: acme, which stands before it, takes all of its tickets. "
        "Put it before that one, or remove it."
    )


@pytest.mark.parametrize(
    ("set", "words"),
    [
        ("agent_id = 1, team_id = 37", "its agent_id is not a member of its team_id"),
        ("caller_id = 2, org_id = 1", "its caller_id does not belong to its org_id"),
        ("servicesubcategory_id = 1, service_id = 1", "its servicesubcategory_id does not belong to its service_id"),
    ],
)
def test_two_values_of_a_route_that_do_not_fit(opens: Opens, set: str, words: str) -> None:
    assert opens(route(set)).warning(INTERNAL).startswith(f"internal.routes: acme: {words}: iTop accepts it, but")


def test_two_values_that_fit_or_of_which_that_is_not_known(opens: Opens) -> None:
    rig = opens(route("agent_id = 9, team_id = 37, servicesubcategory_id = 1, service_id = 2"))
    assert rig.wrong() == []
    rig.without(INTERNAL, "lnkPersonToTeam", "read")
    assert rig.wrong() == []


def test_a_condition_that_cannot_be_asked(opens: Opens) -> None:
    rig = opens(route("team_id = 37", when="condition = \"this.request_type = 'incident'\""))
    wrong = rig.wrong()
    assert {finding.level for finding in wrong} == {Level.WARNING}
    assert [finding.what for finding in wrong] == [
        f"internal.routes: acme: the condition cannot be evaluated for {cls}, so no {cls} fits"
        for cls in ("Incident", "NormalChange", "Problem")
    ]
    narrow = 'when = { class = "UserRequest" }\ncondition = "this.request_type = \'incident\'"'
    assert opens(route("team_id = 37", when=narrow)).wrong() == []


@pytest.mark.parametrize("side", list(Side))
def test_people_whose_emails_may_not_be_read(opens: Opens, side: Side) -> None:
    rig = opens(route('caller_id = { email_of = "caller_id" }'))
    rig.defaults(INTERNAL, agent_id=0, caller_id=0, manager_id=0, supervisor_id=0)
    rig.defaults(EXTERNAL, agent_id=0, manager_id=0, supervisor_id=0)
    rig.without(side, "Person", "read")
    assert rig.warning(side).startswith("callers cannot be looked up by e-mail, which the account may not read here")
