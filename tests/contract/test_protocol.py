"""The envelope: how a request is refused before anything is looked at."""

import json
from typing import Any

import pytest

from itopsync.simulator import Version
from tests.contract.conftest import CAME, Itop
from tests.simulator.caller import Caller

HELLO: dict[str, Any] = {"operation": "list_operations"}


def test_the_operations_are_listed(itop: Itop) -> None:
    answer = itop.sync.post(HELLO).json()
    assert (answer["code"], answer["version"]) == (0, "1.3")
    verbs = {operation["verb"] for operation in answer["operations"]}
    assert {"core/get", "core/create", "core/update", "core/delete", "core/apply_stimulus"} <= verbs


def test_a_refused_login(itop: Itop) -> None:
    for login, password in ((itop.sync.form["auth_user"], "wrong"), ("nobody-of-that-name", "x")):
        response = Caller(itop.sync.client, itop.sync.url, login, password).post(HELLO)
        assert response.status_code == 200
        assert response.json() == {"code": 1, "message": "Error: Invalid login"}


def test_a_login_counts_only_in_the_form(itop: Itop) -> None:
    """So that it never stands in a web server's log."""
    address = f"{itop.sync.url}/webservices/rest.php"
    hello = {"json_data": json.dumps(HELLO)}
    anonymous = {"code": 1, "message": "Error: Invalid login"}
    query = {"version": "1.3", **itop.sync.form}
    assert itop.sync.client.post(address, params=query, data=hello).json() == anonymous
    assert itop.sync.client.get(address, params=query | hello).json() == anonymous
    assert itop.sync.client.post(address, data=query | hello).json()["code"] == 0, "the version may stand anywhere"
    assert itop.sync.client.post(address, params={"version": "1.3", **hello}, data=itop.sync.form).json()["code"] == 0


def test_http_basic_counts_in_its_login_mode_and_nothing_else_does(itop: Itop) -> None:
    """Without it, it depends on how PHP is run."""
    address = f"{itop.sync.url}/webservices/rest.php?version=1.3"
    login = (itop.sync.form["auth_user"], itop.sync.form["auth_pwd"])
    hello = {"json_data": json.dumps(HELLO)}
    assert itop.sync.client.post(f"{address}&login_mode=basic", data=hello, auth=login).json()["code"] == 0
    itop.sync.client.cookies.clear()
    assert itop.sync.client.post(f"{address}&login_mode=basic", data=itop.sync.form | hello).json()["code"] == 1


REFUSED: list[tuple[str, dict[str, Any] | str | None, str, int, str]] = [
    ("no version", HELLO, "", 2, "Error: Missing parameter 'version' (e.g. '1.0')"),
    ("other version", HELLO, "?version=9.9", 10, "Error: There is no service available for version '9.9'"),
    ("no data", None, "?version=1.3", 3, "Error: Missing parameter 'json_data'"),
    ("broken", "{", "?version=1.3", 4, "Error: Parameter json_data is not a valid JSON structure"),
    ("no operation", {}, "?version=1.3", 100, "Error: Missing parameter 'operation'"),
    ("other verb", {"operation": "core/nope"}, "?version=1.3", 11, "Error: Unknown verb 'core/nope' in version '1.3'"),
    ("no comment", {"operation": "core/update"}, "?version=1.3", 100, "Error: Missing parameter 'comment'"),
    ("no class", {"operation": "core/get"}, "?version=1.3", 100, "Error: Missing parameter 'class'"),
    ("no key", {"operation": "core/get", "class": "UserRequest"}, "?version=1.3", 100, "Error: Missing parameter 'key'"),
    (
        "no fields",
        {"operation": "core/update", "class": "UserRequest", "key": 1, "comment": "c"},
        "?version=1.3", 100, "Error: Missing parameter 'fields'",
    ),
    (
        "other class",
        {"operation": "core/get", "class": "Nope", "key": 1},
        "?version=1.3", 100, "Error: class: 'Nope' is not a valid class'",
    ),
    (
        "key of a wrong kind",
        {"operation": "core/get", "class": "UserRequest", "key": True},
        "?version=1.3", 100, "Error: Wrong format for key",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "query", "code", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_refused_request(itop: Itop, request_: dict[str, Any] | str | None, query: str, code: int, message: str) -> None:
    response = itop.sync.post(request_, query)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"code": code, "message": message}


def test_json_data_may_come_as_a_file_from_3_0_on(itop: Itop) -> None:
    files = {"json_data": ("request.json", json.dumps(HELLO).encode())}
    response = itop.sync.client.post(f"{itop.sync.url}/webservices/rest.php?version=1.3", data=itop.sync.form, files=files)
    assert response.json()["code"] == (0 if itop.answers.takes_json_as_a_file else 3)


def test_the_date_header_is_the_servers_clock_in_utc(itop: Itop) -> None:
    assert itop.sync.post(HELLO).headers["date"].endswith(" GMT")


@pytest.mark.parametrize("class_name", ["User", "InlineImage", "CMDBChangeOpDelete"])
def test_what_the_service_account_may_not_read(itop: Itop, class_name: str) -> None:
    assert itop.sync.ask("core/get", class_name, key=f"SELECT {class_name}", output_fields="id") == {
        "code": 1,
        "message": f"The current user does not have enough permissions for reading data of class {class_name}",
        "objects": None,
    }


@pytest.mark.parametrize(("version", "class_name"), CAME)
def test_a_class_tells_the_version(itop: Itop, version: Version, class_name: str) -> None:
    """itopsync asks for these: they need no right, and no change to the data model takes them away."""
    answer = itop.sync.ask("core/get", class_name, key=f"SELECT {class_name} WHERE id = 0", output_fields="id")
    if itop.version >= version:
        refused = f"The current user does not have enough permissions for reading data of class {class_name}"
        assert answer == {"code": 1, "message": refused, "objects": None}
    else:
        assert answer == {"code": 100, "message": f"Error: class: '{class_name}' is not a valid class'"}


def test_the_service_account_deletes_no_tickets(itop: Itop) -> None:
    ticket = itop.ticket()
    assert itop.sync.ask("core/delete", "UserRequest", key=ticket) == {
        "code": 1,
        "message": "The current user does not have enough permissions for deleting data of class UserRequest",
        "objects": None,
    }
    assert itop.alice.delete("UserRequest", ticket) == 1
    assert itop.sync.ask("core/get", "UserRequest", key=ticket) == {"code": 0, "message": "Found: 0", "objects": None}


def test_a_server_tells_anybody_what_it_calls_itself(itop: Itop) -> None:
    itop.sync.client.cookies.clear()
    page = itop.sync.client.get(f"{itop.sync.url}/pages/opensearch.xml.php")
    assert page.headers["content-type"] == "text/xml;charset=UTF-8"
    assert f'template="{itop.sync.url}/pages/UI.php?' in page.text
