"""How the simulator runs OQL. What OQL is, the contract suite says."""

import pytest

from itopsync.simulator import Simulator
from itopsync.simulator.oql_syntax import parse
from tests.simulator.caller import calling


def test_a_query_is_parsed_once_and_has_a_tree() -> None:
    query = "SELECT UserRequest AS t WHERE t.id IN (SELECT Incident) AND NOW() > t.last_update"
    assert parse(query) is parse(query)
    (select,) = parse(query)
    assert (select.class_name.text, select.alias.text) == ("UserRequest", "t")


def test_a_query_on_ids_or_indexed_columns_does_not_look_at_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = Simulator()
    ticket = simulator.agent().create("UserRequest")
    simulator.agent().attach("UserRequest", ticket, "a", "text/plain", b"")
    sync = calling(simulator)
    sync.ids("SELECT UserRequest")
    monkeypatch.setattr(type(simulator.store), "rows", lambda *_: pytest.fail("looked through a whole table"))
    assert sync.ids("SELECT UserRequest WHERE id IN (1, 2)") == [ticket]
    assert sync.ids("SELECT UserRequest WHERE id >= 1 AND id < 100 AND status = 'new'") == [ticket]
    assert sync.ids("SELECT Attachment WHERE item_class = 'UserRequest' AND item_id IN (1, 2)") == [1]
    assert sync.ids("SELECT Attachment WHERE temp_id = 'itopsync-1'") == []
