"""What a simulated server does otherwise when it plays another version of iTop."""

import httpx
import pytest

from itopsync.simulator import Simulator, Version
from itopsync.simulator.versions import DEFAULT, VERSIONS
from tests.simulator.caller import Caller, Refused
from tests.transport import SimulatorTransport


def _server(version: Version) -> tuple[Simulator, Caller]:
    itop = Simulator(version=version)
    return itop, Caller(httpx.Client(transport=SimulatorTransport(itop)), itop.url, "sync", "sync-password")


def _ticket(sync: Caller, class_name: str = "UserRequest", **fields: object) -> int:
    needed = {"org_id": 3, "caller_id": 2, "title": "t", "description": "<p>d</p>"}
    return int(sync.create(class_name, {**needed, **fields})["id"])


def test_it_is_3_2_unless_told_otherwise() -> None:
    assert Simulator().version == DEFAULT == "3.2"


#: A class that came with that version, and the first version in which it is there.
CAME = {"TriggerOnObjectMention": "3.0", "AuditDomain": "3.1", "ActionNewsroom": "3.2"}


@pytest.mark.parametrize("class_name", CAME)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_class_that_may_not_be_read_tells_the_version(version: Version, class_name: str) -> None:
    _, sync = _server(version)
    told = sync.ask("core/get", class_name, key=f"SELECT {class_name} WHERE id = 0", output_fields="id")["message"]
    if version >= CAME[class_name]:
        assert told == f"The current user does not have enough permissions for reading data of class {class_name}"
    else:
        assert told == f"Error: class: '{class_name}' is not a valid class'"


@pytest.mark.parametrize("class_name", ["UserRequest", "Incident"])
def test_the_time_spent_tells_3_3(class_name: str) -> None:
    for version in VERSIONS:
        _, sync = _server(version)
        if version >= "3.3":
            assert sync.get(class_name, f"SELECT {class_name} WHERE id = 0", "tto_time_spent,ttr_time_spent") == []
        else:
            with pytest.raises(Refused, match="invalid attribute code 'tto_time_spent'"):
                sync.get(class_name, f"SELECT {class_name} WHERE id = 0", "tto_time_spent")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_solution_is_html_from_3_2_on(version: Version) -> None:
    _, sync = _server(version)
    given = '<p onclick="x()">a</p>'
    stored = sync.update("UserRequest", _ticket(sync), {"solution": given}, "solution")["solution"]
    assert stored == ("<p>a</p>" if version >= "3.2" else given)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_name_of_an_anchor_survives_and_a_class_does_not_always(version: Version) -> None:
    itop, sync = _server(version)
    ticket = _ticket(sync, private_log='<p class="m"><a name="itopsync-x"></a>a</p><figure><p>b</p></figure>')
    (entry,) = itop.ticket("UserRequest", ticket)["private_log"]
    if version >= "3.2":
        assert entry.text == '<p class="m"><a name="itopsync-x"></a>a</p><figure><p>b</p></figure>'
    else:
        assert entry.text == '<p><a name="itopsync-x"></a>a</p>'


@pytest.mark.parametrize("version", VERSIONS)
def test_an_entry_copied_to_a_child_has_a_prefix_from_3_3_on(version: Version) -> None:
    itop, sync = _server(version)
    parent = _ticket(sync)
    child = _ticket(sync, parent_request_id=parent)
    sync.update("UserRequest", parent, {"private_log": "<p>a</p>"})
    (entry,) = itop.ticket("UserRequest", child)["private_log"]
    if version >= "3.3":
        assert entry.text.endswith("</p><p>a</p>")
        assert itop.ticket("UserRequest", parent)["ref"] in entry.text
    else:
        assert entry.text == "<p>a</p>"


@pytest.mark.parametrize("class_name", ["UserRequest", "Incident"])
@pytest.mark.parametrize("version", VERSIONS)
def test_ev_autoresolve_from_escalated_tto_came_with_3_3(version: Version, class_name: str) -> None:
    _, sync = _server(version)
    ticket = _ticket(sync, class_name)
    sync.stimulus(class_name, ticket, "ev_timeout")
    given = {"solution": "s", "service_id": 1}
    if version >= "3.3":
        assert sync.stimulus(class_name, ticket, "ev_autoresolve", given) == {"status": "resolved"}
    else:
        with pytest.raises(Refused, match=r"^Invalid stimulus"):
            sync.stimulus(class_name, ticket, "ev_autoresolve", given)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_of_zero_is_missing_on_php_7(version: Version) -> None:
    _, sync = _server(version)
    ticket = _ticket(sync)
    if version >= "3.0":
        assert sync.stimulus("UserRequest", ticket, "ev_assign") == {"status": "assigned"}
    else:
        with pytest.raises(Refused, match=r"^Missing mandatory attribute.*team_id, agent_id"):
            sync.stimulus("UserRequest", ticket, "ev_assign")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_upload_over_rest_is_signed_from_3_1_on(version: Version) -> None:
    itop, sync = _server(version)
    ticket = _ticket(sync)
    fields = {"item_class": "UserRequest", "item_id": ticket, "contents": {"data": "YQ==", "filename": "a"}}
    shown = sync.create("Attachment", fields, "creation_date,user_id")
    assert (bool(shown["creation_date"]), shown["user_id"] != "0") == ((version >= "3.1"),) * 2
    file = itop.agent().attach("UserRequest", ticket, "b", "text/plain", b"b")
    (web,) = sync.get("Attachment", file, "creation_date,contact_id")
    assert web["creation_date"]
    assert web["contact_id"] == "42"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_query_is_quoted_but_not_by_3_0(version: Version) -> None:
    _, sync = _server(version)
    message = sync.ask("core/get", "UserRequest", key="SELECT Nope", output_fields="id")["message"]
    assert message.startswith("Error: Query failed to execute: query = SELECT Nope") == (version != "3.0")
    assert "Nope" in message


@pytest.mark.parametrize("version", VERSIONS)
def test_3_0_drops_the_blanks_between_tags_from_its_answers_alone(version: Version) -> None:
    itop, sync = _server(version)
    stored = "<p>a  <b>b</b> <i>c</i>  <u>d</u></p>"
    ticket = _ticket(sync, title="1 > 2 < 3", description=stored)
    shown = sync.get("UserRequest", ticket, "title,description")[0]["description"]
    assert shown == ("<p>a  <b>b</b><i>c</i><u>d</u></p>" if version == "3.0" else stored)
    assert itop.ticket("UserRequest", ticket)["description"] == stored


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_without_contents_is_shown_like_one_with_them(version: Version) -> None:
    _, sync = _server(version)
    empty = sync.create("Attachment", {"item_class": "UserRequest", "item_id": _ticket(sync)}, "contents")["contents"]
    assert empty == {"data": "", "mimetype": "", "filename": ""} | ({"downloads_count": 0} if version >= "3.1" else {})


@pytest.mark.parametrize("version", VERSIONS)
def test_a_child_that_is_resolved_names_its_parent(version: Version) -> None:
    itop, sync = _server(version)
    parent = _ticket(sync, status="assigned", team_id=39, agent_id=9)
    child = _ticket(sync, status="assigned", team_id=39, agent_id=9, parent_request_id=parent)
    sync.stimulus("UserRequest", parent, "ev_resolve", {"solution": "s", "service_id": 1})
    ref, solution = itop.ticket("UserRequest", parent)["ref"], itop.ticket("UserRequest", child)["solution"]
    expected = f"[[UserRequest:{parent}|{ref}]]" if version >= "3.2" else f"[[UserRequest:{ref}]]"
    assert expected in solution
