"""Who we are to a real server, what we may do there, and what it calls itself."""

import pytest

from itopsync.errors import BadQuery, LoginRefused
from itopsync.itop.settings import Login
from itopsync.model import NewEntry
from itopsync.settings.secrets import Secret
from tests.itop.stage import Stage, only_on
from tests.itop.tickets import REQUEST, moment, open_request


@pytest.mark.parametrize("login", [Login.FORM, Login.BASIC])
def test_login_by_name_and_password(stage: Stage, login: Login) -> None:
    server = stage.server(login=login)
    for _ in range(2):
        server.check_login()


@only_on(["3.2.0"])  # the module authent-token does not come with iTop
def test_login_by_token(stage: Stage) -> None:
    server = stage.server("token")
    for _ in range(2):
        server.check_login()


@pytest.mark.parametrize("login", Login)
def test_a_wrong_password(stage: Stage, login: Login) -> None:
    with pytest.raises(LoginRefused, match="the login is refused"):
        stage.server(login=login, password=Secret("wrong")).check_login()


def test_an_account_without_the_profile(stage: Stage) -> None:
    with pytest.raises(LoginRefused, match="lacks the profile REST Services User"):
        stage.server("guest").check_login()


def test_our_own_account_is_the_author_of_our_entries(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server, private_log=[NewEntry(moment(10), "<p>ours</p>")])
    stage.people("note", "UserRequest", ticket.ref.id, "<p>theirs</p>")
    ours, theirs = server.tickets("UserRequest", [ticket.ref.id], REQUEST)[ticket.ref.id].logs["private_log"]
    assert server.account() == ours.author_id
    assert theirs.author_id not in ("", ours.author_id)


def test_what_the_account_may_do(stage: Stage) -> None:
    server = stage.server()
    before = server.count("Ticket", "SELECT Ticket")
    assert [server.may_create(cls) for cls in ("UserRequest", "NormalChange", "Attachment", "Person")] == [
        True,
        True,
        True,
        False,
    ]
    assert [server.may_delete(cls) for cls in ("Attachment", "UserRequest")] == [True, False]
    for ask in (server.may_create, server.may_delete):
        with pytest.raises(BadQuery, match="'Nope' is not a valid class"):
            ask("Nope")
    assert server.count("Ticket", "SELECT Ticket") == before


def test_which_version_it_is(stage: Stage) -> None:
    server = stage.server()
    assert server.version() == stage.version[:3]


def test_what_the_server_calls_itself(stage: Stage) -> None:
    server = stage.server()
    assert server.own_address() == server.settings.url
