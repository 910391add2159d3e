"""Case logs: how entries are given, whose they are, and when there is no more room."""

import pytest

from tests.contract.conftest import Itop
from tests.simulator.caller import Json, Refused


def add(message: str, **more: object) -> Json:
    return {"private_log": {"add_item": {"message": message, **more}}}


def test_a_plain_string_is_taken_as_html(itop: Itop) -> None:
    ticket = itop.ticket()
    shown = itop.sync.update("UserRequest", ticket, {"private_log": "one & <b>two</b>\nthree"}, "private_log")
    (entry,) = shown["private_log"]["entries"]
    assert entry["message"] == "one & two three"
    assert entry["message_html"] == "<p>one &amp; <b>two</b>\nthree</p>"
    assert list(entry) == ["date", "user_login", "user_id", "message", "message_html"]


def test_text_is_shown_escaped(itop: Itop) -> None:
    ticket = itop.ticket()
    itop.sync.update("UserRequest", ticket, add("<b>x</b> & 'y' \"z\"\r\nnext", format="text"))
    (entry,) = itop.sync.log("UserRequest", ticket)
    assert entry["message"] == "<b>x</b> & 'y' \"z\"\r\nnext"
    apostrophe = itop.answers.apostrophe
    assert entry["message_html"] == f"&lt;b&gt;x&lt;/b&gt; &amp; {apostrophe}y{apostrophe} &quot;z&quot;<br/>next"


def test_entries_stand_in_the_order_of_writing_whatever_their_dates(itop: Itop) -> None:
    ticket = itop.ticket()
    for date in ("2024-01-01 00:00:00", "2020-01-01 00:00:00", "2022-01-01 00:00:00"):
        itop.sync.update("UserRequest", ticket, add(date[:4], date=date))
    assert [(entry["date"], entry["message"]) for entry in itop.sync.log("UserRequest", ticket)] == [
        ("2024-01-01 00:00:00", "2024"), ("2020-01-01 00:00:00", "2020"), ("2022-01-01 00:00:00", "2022"),
    ]  # fmt: skip


def test_a_date_may_carry_an_offset(itop: Itop) -> None:
    ticket = itop.ticket()
    itop.sync.update("UserRequest", ticket, add("a", date="2026-11-24T10:00:00+07:00"))
    itop.sync.update("UserRequest", ticket, add("b", date="2026-11-24T03:00:00Z"))
    first, second = itop.sync.log("UserRequest", ticket)
    assert first["date"] == second["date"]
    assert first["date"][:13] in {"2026-11-24 04", "2026-11-24 03", "2026-11-24 10"}, "local time of the server"


def test_a_date_that_is_none_is_refused(itop: Itop) -> None:
    with pytest.raises(Refused, match=r"^Error: private_log: ") as refused:
        itop.sync.update("UserRequest", itop.ticket(), add("a", date="some day"))
    assert refused.value.code == 100
    assert "some day" in refused.value.message


def test_a_history_is_one_create(itop: Itop) -> None:
    items = [
        {"message": "<p>one</p>", "date": "2020-01-01 00:00:00"},
        {"message": "two", "date": "2020-01-02 00:00:00", "format": "text"},
        {"message": "three"},
    ]
    shown = itop.sync.create("UserRequest", itop.new(private_log={"items": items}, public_log="open"), "private_log,public_log")
    entries = shown["private_log"]["entries"]
    assert [entry["message"] for entry in entries] == ["one", "two", "three"]
    assert [entry["date"] for entry in entries[:2]] == ["2020-01-01 00:00:00", "2020-01-02 00:00:00"]
    assert len({entry["user_id"] for entry in entries}) == 1
    assert len(shown["public_log"]["entries"]) == 1


def test_items_on_update_replace_the_whole_log(itop: Itop) -> None:
    ticket = itop.ticket(private_log="before")
    itop.sync.update("UserRequest", ticket, {"private_log": {"items": [{"message": "only"}]}})
    assert [entry["message"] for entry in itop.sync.log("UserRequest", ticket)] == ["only"]


def test_nothing_adds_nothing(itop: Itop) -> None:
    ticket = itop.ticket(private_log="before")
    itop.sync.update("UserRequest", ticket, {"private_log": ""})
    assert len(itop.sync.log("UserRequest", ticket)) == 1


@pytest.mark.parametrize("given", [{"add_item": {}}, {"nothing": 1}, [], 5, None])
def test_a_log_of_another_shape_is_refused(itop: Itop, given: object) -> None:
    ticket = itop.ticket()
    with pytest.raises(Refused, match=r"^Error: private_log: Missing ") as refused:
        itop.sync.update("UserRequest", ticket, {"private_log": given})
    assert refused.value.code == 100


def test_an_author_cannot_be_chosen_but_by_an_administrator(itop: Itop) -> None:
    ticket = itop.ticket()
    itop.sync.update("UserRequest", ticket, add("a", user_login="Somebody Else"))
    with pytest.raises(Refused, match=r"^Error: private_log: Only administrators can set the user id$") as refused:
        itop.sync.update("UserRequest", ticket, add("b", user_id=0, user_login="Somebody Else"))
    assert refused.value.code == 1
    itop.alice.update("UserRequest", ticket, add("c", user_id=0, user_login="Somebody Else"))
    itop.alice.update("UserRequest", ticket, add("d", user_id=1))
    ours, chosen, numbered = itop.sync.log("UserRequest", ticket)
    assert ours["user_login"] != "Somebody Else"
    assert ours["user_id"] != "0"
    assert (chosen["user_login"], chosen["user_id"]) == ("Somebody Else", 0)
    assert numbered["user_id"] == "1"


def test_both_logs_take_an_entry_in_one_call(itop: Itop) -> None:
    ticket = itop.ticket()
    itop.sync.update("UserRequest", ticket, {"private_log": "in", "public_log": "out"})
    assert [entry["message"] for entry in itop.sync.log("UserRequest", ticket)] == ["in"]
    assert [entry["message"] for entry in itop.sync.log("UserRequest", ticket, "public_log")] == ["out"]


def test_a_marker_is_found_by_a_query(itop: Itop) -> None:
    """Commas part several: a blank in a name is written as ``%20``."""
    ticket = itop.ticket()
    marker = f"itopsync-contract-{ticket}"
    markup = f'<p><a name="{marker},{marker}-2"></a><em>head</em></p><p>hi</p>'
    itop.sync.update("UserRequest", ticket, add(markup))
    assert itop.sync.log("UserRequest", ticket)[0]["message_html"] == markup
    itop.sync.update("UserRequest", ticket, add('<p><a name="one two"></a></p>'))
    assert itop.sync.log("UserRequest", ticket)[1]["message_html"] == '<p><a name="one%20two"></a></p>'
    assert itop.sync.ids(f"SELECT UserRequest WHERE private_log LIKE '%{marker}%'") == [ticket]
    assert itop.sync.ids(f"SELECT Ticket WHERE private_log LIKE '%{marker}%' AND id > {ticket}") == []


def test_a_log_has_room_for_some_380_entries(itop: Itop) -> None:
    for count, fits in ((370, True), (400, False)):
        history = {"items": [{"message": f"<p>entry {number}</p>", "date": "2020-01-01 00:00:00"} for number in range(count)]}
        request = {"operation": "core/create", "class": "UserRequest", "comment": "c", "output_fields": "id"}
        answer = itop.sync.post({**request, "fields": itop.new(private_log=history)}).json()
        if fits:
            assert answer["code"] == 0
            continue
        assert answer["code"] == 1406, "on a create the code is the database's own"
        assert "Data too long for column 'private_log_index'" in answer["message"]
        assert "entry 7" in answer["message"]


def test_a_full_log_leaves_fields_and_states(itop: Itop) -> None:
    history = {"items": [{"message": f"<p>entry {number}</p>"} for number in range(370)]}
    ticket = itop.ticket(private_log=history)
    answer = {}
    for number in range(40):
        answer = itop.sync.ask("core/update", "UserRequest", key=ticket, fields=add(f"<p>more {number}</p>"))
        if answer["code"]:
            break
    assert answer["code"] == 100
    assert "Data too long for column 'private_log_index'" in answer["message"]
    assert len(answer["message"]) > 50_000, "it quotes the whole log"
    itop.sync.update("UserRequest", ticket, {"title": "still"})
    itop.sync.stimulus("UserRequest", ticket, "ev_assign", {"team_id": itop.team, "agent_id": itop.agent})
