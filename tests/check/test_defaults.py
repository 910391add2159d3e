"""The defaults of each side: each exists, and they fit together."""

from __future__ import annotations

import pytest

from itopsync.model import Side
from tests.check.conftest import Checked

EXTERNAL, INTERNAL = Side


@pytest.mark.parametrize(
    ("side", "name", "value", "words"),
    [
        (INTERNAL, "agent_id", 9999, "internal.defaults.agent_id finds no Person (9999)."),
        (EXTERNAL, "team_id", "9999", "external.defaults.team_id finds no Team (9999)."),
        (INTERNAL, "org_id", {"name": "O'Hara's"}, "internal.defaults.org_id finds no Organization (name = O'Hara's)."),
        (INTERNAL, "org_id", "SELECT Organization", "internal.defaults.org_id finds 3 objects of Organization, not one"),
        (INTERNAL, "caller_id", {"email": "x", "nonsense": "y"}, "internal.defaults.caller_id: cannot answer core/get Person"),
        (EXTERNAL, "agent_id", "SELECT Nonsense", "external.defaults.agent_id: cannot answer core/get Person"),
        (EXTERNAL, "agent_id", "SELECT Team WHERE id = 37", "external.defaults.agent_id finds Team 37, which is not a Person."),
        (EXTERNAL, "agent_id", "SELECT Organization WHERE id = 3", "agent_id finds Organization 3, which is not a Person."),
    ],
)
def test_a_default_that_names_not_one_object(rig: Checked, side: Side, name: str, value: object, words: str) -> None:
    rig.defaults(side, **{name: value})
    assert words in rig.fault(side)


@pytest.mark.parametrize("value", [37, "37", {"name": "Helpdesk"}, "SELECT Team WHERE name = 'Helpdesk'"])
def test_an_id_a_criterion_or_a_query(rig: Checked, value: object) -> None:
    rig.defaults(INTERNAL, team_id=value, agent_id=0)
    assert rig.wrong() == []
    assert rig.told(INTERNAL, "defaults.team_id") == "internal.defaults.team_id is Team 37, Helpdesk"
    assert rig.told(INTERNAL, "defaults.agent_id") == "internal.defaults.agent_id is 0: deliberately nobody"


def test_a_plain_value_is_not_looked_up(rig: Checked) -> None:
    rig.defaults(INTERNAL, origin="mail")
    assert rig.told(INTERNAL, "defaults.origin").startswith("internal.defaults.origin is not a key")


def test_a_class_that_may_not_be_looked_at(rig: Checked) -> None:
    rig.without(INTERNAL, "Service", "read")
    assert rig.fault(INTERNAL).startswith(
        "internal.defaults.service_id: the account lacks the right of reading data of class Service. Give it"
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"agent_id": 1}, "internal.defaults.agent_id is not a member of internal.defaults.team_id"),
        ({"supervisor_id": 1}, "internal.defaults.supervisor_id is not a member of internal.defaults.supervisor_group_id"),
        ({"manager_group_id": 36}, "internal.defaults.manager_id is not a member of internal.defaults.manager_group_id"),
        ({"org_id": 1}, "internal.defaults.caller_id does not belong to internal.defaults.org_id"),
        ({"servicesubcategory_id": 1}, "internal.defaults.servicesubcategory_id does not belong to internal.defaults.service_id"),
    ],
)
def test_two_that_do_not_fit(rig: Checked, changed: dict[str, object], words: str) -> None:
    rig.defaults(INTERNAL, **changed)
    assert rig.warning(INTERNAL).startswith(f"{words}: iTop accepts it, but its forms do not offer it.")


def test_whether_they_fit_may_stay_unknown(rig: Checked) -> None:
    rig.without(INTERNAL, "lnkPersonToTeam", "read")
    assert rig.wrong() == []
    assert rig.told(INTERNAL, "agent_id fits") == (
        "whether agent_id fits team_id is not known: the account may not read lnkPersonToTeam"
    )
