"""Who may do what: profiles, organisations, read-only modes, and the four ways to be refused with code 1."""

from collections.abc import Callable
from functools import partial

import httpx
import pytest

from itopsync.simulator import AccessMode, Account, Agent, Simulator
from itopsync.simulator.rights import REST_PROFILE, Action
from tests.simulator.caller import Caller, Refused, calling
from tests.transport import SimulatorTransport

TICKET_CLASSES = ("UserRequest", "Incident", "Problem", "NormalChange", "RoutineChange", "EmergencyChange")
NEW = {"org_id": 3, "caller_id": 42, "title": "t", "description": "d"}


def with_profiles(simulator: Simulator, *profiles: str) -> Caller:
    """A caller whose account has these profiles."""
    simulator.accounts["other"] = Account("other", "other-password", 9, 42, (REST_PROFILE, *profiles))
    return calling(simulator, "other")


def message(doing: str, class_name: str) -> str:
    return f"The current user does not have enough permissions for {doing} data of class {class_name}"


# -- logins ------------------------------------------------------------------------------------------------------


def test_a_wrong_password_and_an_unknown_user_read_alike(simulator: Simulator) -> None:
    client = httpx.Client(transport=SimulatorTransport(simulator))
    for login, password in (("sync", "wrong"), ("nobody", "sync-password"), ("sync", ""), ("", "")):
        answer = Caller(client, simulator.url, login, password).ask("list_operations")
        assert answer == {"code": 1, "message": "Error: Invalid login"}


def test_an_account_without_the_profile_may_not_use_rest(simulator: Simulator) -> None:
    with pytest.raises(Refused, match="The profile REST Services User is required") as refused:
        calling(simulator, "norest").ids("SELECT UserRequest")
    assert refused.value.code == 1


def test_http_basic_works_only_when_the_query_says_so(simulator: Simulator) -> None:
    client = httpx.Client(transport=SimulatorTransport(simulator), auth=("sync", "sync-password"))
    form = {"json_data": '{"operation": "list_operations"}'}
    address = f"{simulator.url}/webservices/rest.php?version=1.3"
    assert client.post(f"{address}&login_mode=basic", data=form).json()["code"] == 0
    assert client.post(address, data=form).json()["code"] == 1


def test_a_token_is_a_login(simulator: Simulator) -> None:
    simulator.accounts["sync"] = Account("sync", "x", 2, 40, (REST_PROFILE, "Support Agent"), token="t0ken")
    client = httpx.Client(transport=SimulatorTransport(simulator))
    form = {"json_data": '{"operation": "list_operations"}'}
    address = f"{simulator.url}/webservices/rest.php?version=1.3"
    assert client.post(address, data=form, headers={"Auth-Token": "t0ken"}).json()["code"] == 0
    assert client.post(address, data=form, headers={"Auth-Token": "other"}).json()["code"] == 1


# -- profiles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_name", TICKET_CLASSES)
def test_the_service_account_writes_tickets_and_deletes_none(sync: Caller, class_name: str) -> None:
    ticket = int(sync.create(class_name, NEW)["id"])
    sync.update(class_name, ticket, {"title": "u"})
    with pytest.raises(Refused, match=message("deleting", class_name)) as refused:
        sync.delete(class_name, ticket)
    assert refused.value.code == 1
    attachment = sync.attach(class_name, ticket, "a.txt", b"a")
    assert sync.delete("Attachment", attachment) == 1
    assert sync.delete("Attachment", attachment) == 0


@pytest.mark.parametrize("class_name", ["User", "UserLocal", "InlineImage", "CMDBChangeOpDelete"])
def test_some_classes_are_for_administrators_only(simulator: Simulator, sync: Caller, class_name: str) -> None:
    with pytest.raises(Refused, match=message("reading", class_name)) as refused:
        sync.ids(f"SELECT {class_name}")
    assert refused.value.code == 1
    calling(simulator, "admin").ids(f"SELECT {class_name}")


@pytest.mark.parametrize(
    ("profile", "writes", "does_not_write"),
    [
        ("Support Agent", "UserRequest", "NormalChange"),
        ("Service Desk Agent", "Incident", "Problem"),
        ("Change Implementor", "NormalChange", "UserRequest"),
        ("Problem Manager", "Problem", "Incident"),
    ],
)
def test_a_profile_gives_what_it_gives(simulator: Simulator, profile: str, writes: str, does_not_write: str) -> None:
    other = with_profiles(simulator, profile)
    assert other.create(writes, NEW)["id"] == "1"
    assert other.ids(f"SELECT {does_not_write}") == []
    with pytest.raises(Refused, match=message("creating", does_not_write)) as refused:
        other.create(does_not_write, NEW)
    assert refused.value.code == 1


def test_the_profile_for_rest_alone_shows_nothing(simulator: Simulator) -> None:
    with pytest.raises(Refused, match=message("reading", "UserRequest")):
        with_profiles(simulator).ids("SELECT UserRequest")


@pytest.mark.parametrize(
    ("action", "doing"),
    [
        ("read", "reading"),
        ("bulk read", "exporting"),
        ("write", "modifying"),
        ("bulk write", "massively modifying"),
        ("delete", "deleting"),
    ],
)
def test_each_right_can_be_taken_away_from_a_class(simulator: Simulator, ticket: int, action: Action, doing: str) -> None:
    simulator.accounts["agent"] = simulator.accounts["agent"].without("UserRequest", action)
    agent = calling(simulator, "agent")
    acts: dict[str, Callable[[], object]] = {
        "read": partial(agent.get, "UserRequest", ticket),
        "bulk read": partial(agent.get, "UserRequest", ticket),
        "write": partial(agent.update, "UserRequest", ticket, {"title": "x"}),
        "bulk write": partial(agent.stimulus, "UserRequest", ticket, "ev_assign"),
        "delete": partial(agent.delete, "UserRequest", ticket),
    }
    with pytest.raises(Refused, match=message(doing, "UserRequest")) as refused:
        acts[action]()
    assert refused.value.code == 1
    agent.create("Incident", NEW)


def test_a_right_taken_from_an_ancestor_is_taken_from_all_below(simulator: Simulator, ticket: int) -> None:
    simulator.accounts["sync"] = simulator.accounts["sync"].without("Ticket", "read")
    for query in ("SELECT UserRequest", "SELECT Ticket"):
        with pytest.raises(Refused, match="permissions for reading"):
            calling(simulator).ids(query)


# -- organisations -----------------------------------------------------------------------------------------------


@pytest.fixture
def limited(simulator: Simulator) -> Caller:
    """The service account, limited to the organisation Demo."""
    simulator.accounts["sync"] = simulator.accounts["sync"].limited_to(3)
    return calling(simulator)


def test_an_account_limited_to_organisations_finds_only_theirs(simulator: Simulator, limited: Caller, alice: Agent) -> None:
    seen, hidden = alice.create("UserRequest"), alice.create("UserRequest", org_id=2)
    assert limited.ids("SELECT UserRequest") == [seen]
    assert limited.ask("core/get", "UserRequest", key=hidden) == {"code": 0, "message": "Found: 0", "objects": None}
    with pytest.raises(Refused, match=f"Error: Invalid object UserRequest::{hidden}"):
        limited.update("UserRequest", hidden, {"title": "x"})
    assert limited.ids("SELECT Organization") == [3]


def test_it_does_not_see_its_own_upload_without_an_organisation(limited: Caller, ticket: int) -> None:
    nowhere = limited.attach("UserRequest", ticket, "a.txt", b"a", item_org_id=0)
    somewhere = limited.attach("UserRequest", ticket, "b.txt", b"b")
    assert limited.ids("SELECT Attachment") == [somewhere]
    assert limited.get("Attachment", nowhere) == []


def test_an_organisation_includes_those_below_it(simulator: Simulator, limited: Caller, alice: Agent) -> None:
    below = alice.create("Organization", name="Demo East", parent_id=3)
    ticket = alice.create("UserRequest", org_id=below)
    assert limited.ids("SELECT UserRequest") == [ticket]


def test_a_ticket_that_moves_to_another_organisation_is_out_of_sight(limited: Caller, alice: Agent, ticket: int) -> None:
    assert limited.ids("SELECT UserRequest") == [ticket]
    alice.update("UserRequest", ticket, org_id=2)
    assert limited.ids("SELECT UserRequest") == []


# -- read-only modes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "writes"),
    [
        (AccessMode.READ_ONLY, {"sync": False, "admin": False}),
        (AccessMode.USERS, {"sync": True, "admin": True}),
        (AccessMode.ADMINISTRATORS_WRITE, {"sync": False, "admin": True}),
        (AccessMode.FULL, {"sync": True, "admin": True}),
    ],
)
def test_a_read_only_mode_refuses_writes_as_if_a_right_were_missing(
    simulator: Simulator, ticket: int, mode: AccessMode, writes: dict[str, bool]
) -> None:
    simulator.access_mode = mode
    for login, may in writes.items():
        caller = calling(simulator, login)
        assert caller.ids("SELECT UserRequest") == [ticket]
        if may:
            caller.update("UserRequest", ticket, {"title": login})
            continue
        refusals: list[tuple[str, Callable[[], object]]] = [
            ("creating", partial(caller.create, "UserRequest", NEW)),
            ("modifying", partial(caller.update, "UserRequest", ticket, {"title": "x"})),
            ("modifying", partial(caller.stimulus, "UserRequest", ticket, "ev_assign")),
            ("deleting", partial(caller.delete, "UserRequest", ticket)),
        ]
        for doing, act in refusals:
            with pytest.raises(Refused, match=message(doing, "UserRequest")) as refused:
                act()
            assert refused.value.code == 1


def test_what_an_account_may_do_can_be_asked(simulator: Simulator) -> None:
    assert simulator.allows("sync", "UserRequest", "write")
    assert not simulator.allows("sync", "UserRequest", "delete")
    simulator.access_mode = AccessMode.READ_ONLY
    assert not simulator.allows("sync", "UserRequest", "write")
