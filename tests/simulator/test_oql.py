"""OQL: what a scope condition may say, what it finds, and what is refused in iTop's words."""

import pytest

from itopsync.simulator import Simulator
from itopsync.simulator.oql_syntax import parse
from tests.simulator.caller import Caller, Refused, calling
from tests.simulator.clock import Clock


@pytest.fixture(scope="module")
def sync() -> Caller:
    """A server with four tickets: A, B and C are requests, D is an incident below A."""
    clock = Clock()
    simulator = Simulator("http://127.0.0.1:8081", "Europe/Paris", clock, database_timezone="Europe/Paris")
    alice = simulator.agent()
    a = alice.create("UserRequest", title="A", description="<p>printer &amp; ink</p>", impact="1", urgency="1", origin="mail")
    clock.wait(86_400)
    b = alice.create("UserRequest", title="B", org_id=2, caller_id=7, agent_id=9, team_id=37)
    clock.wait(86_400)
    c = alice.create("UserRequest", title="C", start_date="2026-10-01 12:30:45", parent_request_id=a)
    d = alice.create("Incident", title="d_100%", description="<p>Été</p>")
    alice.note("UserRequest", b, '<p><span class="itopsync-1"></span>Marked</p>')
    alice.attach("UserRequest", a, "a.txt", "text/plain", b"a")
    alice.attach("Incident", d, "d.txt", "text/plain", b"d")
    alice.stimulus("UserRequest", c, "ev_wait_for_approval")
    return calling(simulator)


FOUND = [
    # aliases, classes
    ("SELECT UserRequest", "ABC"),
    ("SELECT Ticket", "ABCd"),
    ("SELECT UserRequest AS t", "ABC"),
    ("SELECT `UserRequest` AS `t` WHERE `t`.`title` = 'A'", "A"),
    ("SELECT Ticket AS t WHERE t.finalclass = 'Incident'", "d"),
    ("SELECT Ticket WHERE finalclass IN ('UserRequest', 'Incident')", "ABCd"),
    ("SELECT t FROM UserRequest AS t WHERE t.title = 'B'", "B"),
    ("SELECT UserRequest\n\tWHERE title\n= 'A'", "A"),
    # comparison
    ("SELECT UserRequest WHERE title = 'a'", "A"),
    ('SELECT UserRequest WHERE title = "A"', "A"),
    ("SELECT UserRequest WHERE title != 'A'", "BC"),
    ("SELECT UserRequest WHERE title > 'A' AND title <= 'C'", "BC"),
    ("SELECT UserRequest WHERE org_id = 2", "B"),
    ("SELECT UserRequest WHERE org_id = '2'", "B"),
    ("SELECT UserRequest WHERE 2 = org_id", "B"),
    ("SELECT UserRequest WHERE id >= 2 AND id < 3", "B"),
    ("SELECT UserRequest WHERE id = 0x2", "B"),
    ("SELECT UserRequest WHERE org_id - 1 = 1", "B"),
    ("SELECT UserRequest WHERE org_id * 2 + 1 = 7", "AC"),
    ("SELECT UserRequest WHERE id = -1", ""),
    ("SELECT UserRequest WHERE agent_id", "B"),
    # logic: AND before OR, parentheses, unknown values
    ("SELECT UserRequest WHERE title = 'A' OR title = 'B' AND org_id = 3", "A"),
    ("SELECT UserRequest WHERE (title = 'A' OR title = 'B') AND org_id = 2", "B"),
    ("SELECT UserRequest WHERE 1", "ABC"),
    ("SELECT UserRequest WHERE 0", ""),
    ("SELECT UserRequest WHERE end_date < '2030-01-01'", ""),
    ("SELECT UserRequest WHERE ISNULL(end_date)", "ABC"),
    ("SELECT UserRequest WHERE ISNULL(origin)", ""),
    ("SELECT UserRequest WHERE origin = 'mail' OR ISNULL(assignment_date)", "ABC"),
    # lists
    ("SELECT UserRequest WHERE id IN (1, 3, 99)", "AC"),
    ("SELECT UserRequest WHERE id NOT IN (1, 3)", "B"),
    ("SELECT UserRequest WHERE status IN ('new', 'waiting_for_approval')", "ABC"),
    ("SELECT UserRequest WHERE title IN ('a')", "A"),
    ("SELECT UserRequest WHERE id IN (SELECT UserRequest WHERE title = 'B')", "B"),
    ("SELECT UserRequest WHERE caller_id IN (SELECT Person WHERE org_id = 2)", "B"),
    ("SELECT UserRequest WHERE id NOT IN (SELECT UserRequest AS x WHERE x.title = 'B')", "AC"),
    ("SELECT Ticket WHERE id IN (SELECT Incident UNION SELECT UserRequest WHERE title = 'A')", "Ad"),
    # LIKE
    ("SELECT UserRequest WHERE description LIKE '%PRINTER%'", "A"),
    ("SELECT UserRequest WHERE description NOT LIKE '%printer%'", "BC"),
    ("SELECT Ticket WHERE title LIKE '_'", "ABC"),
    ("SELECT Ticket WHERE title LIKE 'D%'", "d"),
    ("SELECT Ticket WHERE title LIKE '%\\\\%'", "d"),
    ("SELECT Ticket WHERE description LIKE '%ete%'", "d"),
    ("SELECT UserRequest WHERE private_log LIKE '%itopsync-1%'", "B"),
    ("SELECT Ticket WHERE private_log LIKE '%marked%'", "B"),
    ("SELECT UserRequest WHERE private_log NOT LIKE '%marked%'", "AC"),
    # joins
    ("SELECT UserRequest AS t JOIN Person AS p ON t.caller_id = p.id WHERE p.name = 'Hugo'", "B"),
    ("SELECT UserRequest AS t JOIN Organization AS o ON t.org_id = o.id WHERE o.name LIKE 'IT%'", "B"),
    ("SELECT UserRequest AS t JOIN Attachment AS a ON a.item_id = t.id WHERE a.item_class = 'UserRequest'", "A"),
    ("SELECT c FROM UserRequest AS c JOIN UserRequest AS p ON c.parent_request_id = p.id WHERE p.title = 'A'", "C"),
    ("SELECT UserRequest AS t JOIN Organization AS o ON t.org_id BELOW o.id WHERE o.id = 3", "AC"),
    (
        "SELECT UserRequest AS t JOIN Team AS g ON t.team_id = g.id JOIN lnkPersonToTeam AS l ON l.team_id = g.id"
        " WHERE l.person_id = 13",
        "B",
    ),
    ("SELECT UserRequest WHERE org_name = 'Demo'", "AC"),
    ("SELECT UserRequest WHERE caller_id_friendlyname = 'Victor Hugo'", "B"),
    ("SELECT Ticket WHERE operational_status = 'ongoing'", "ABCd"),
    # unions
    ("SELECT UserRequest WHERE title = 'A' UNION SELECT UserRequest WHERE title = 'B'", "AB"),
    ("SELECT UserRequest WHERE title = 'A' UNION SELECT UserRequest UNION SELECT UserRequest WHERE title = 'B'", "ABC"),
    ("SELECT UserRequest UNION SELECT Incident", "ABCd"),
    # dates
    ("SELECT UserRequest WHERE start_date >= '2026-11-25 00:00:00'", "B"),
    ("SELECT UserRequest WHERE start_date < '2026-11-25'", "AC"),
    ("SELECT UserRequest WHERE start_date > '2026-10-01 12:30:44' AND start_date < '2026-10-02'", "C"),
    ("SELECT UserRequest WHERE start_date > DATE_SUB(NOW(), INTERVAL 36 HOUR)", "B"),
    ("SELECT UserRequest WHERE DATE_ADD(start_date, INTERVAL 3 MONTH) < NOW()", ""),
    ("SELECT UserRequest WHERE DATE_ADD(start_date, INTERVAL 1 MONTH) < NOW()", "C"),
    ("SELECT UserRequest WHERE DATE(start_date) = CURRENT_DATE()", ""),
    ("SELECT UserRequest WHERE DATE(last_update) = CURRENT_DATE()", "BC"),
    ("SELECT UserRequest WHERE YEAR(start_date) = 2026 AND MONTH(start_date) = 10 AND DAY(start_date) = 1", "C"),
    ("SELECT UserRequest WHERE DATE_FORMAT(start_date, '%Y-%m') = '2026-10'", "C"),
    ("SELECT UserRequest WHERE TIME(start_date) = '12:30:45'", "C"),
    ("SELECT UserRequest WHERE TO_DAYS(NOW()) - TO_DAYS(start_date) < 2", "B"),
    ("SELECT UserRequest WHERE FROM_DAYS(TO_DAYS(start_date)) = '2026-10-01'", "C"),
    # the other functions
    ("SELECT UserRequest WHERE CONCAT(title, '-', org_id) = 'A-3'", "A"),
    ("SELECT UserRequest WHERE SUBSTR(ref, 3) = '000002'", "B"),
    ("SELECT UserRequest WHERE SUBSTR(ref, 1, 1) = 'R'", "ABC"),
    ("SELECT UserRequest WHERE TRIM(CONCAT(' ', title)) = 'A'", "A"),
    ("SELECT UserRequest WHERE IF(org_id = 2, 'yes', 'no') = 'yes'", "B"),
    ("SELECT UserRequest WHERE ELT(org_id, 'x', 'y', 'z') = 'z'", "AC"),
    ("SELECT UserRequest WHERE COALESCE(end_date, start_date) < '2026-11-01'", "C"),
    ("SELECT UserRequest WHERE FLOOR(id / 2) = 1", "BC"),
    ("SELECT UserRequest WHERE ROUND(id / 2) = 1", "AB"),
    ("SELECT UserRequest WHERE INET_ATON('0.0.0.2') = id", "B"),
    ("SELECT UserRequest WHERE INET_NTOA(id) = '0.0.0.2'", "B"),
    ("SELECT UserRequest WHERE (id & 1) = 1", "AC"),
    ("SELECT UserRequest WHERE 1 << id = 4", "B"),
    # text
    (r"SELECT UserRequest WHERE title = 'it\'s'", ""),
    ('SELECT UserRequest WHERE title = "it\'s"', ""),
]


@pytest.mark.parametrize(("query", "titles"), FOUND, ids=[query for query, _ in FOUND])
def test_a_query_finds(sync: Caller, query: str, titles: str) -> None:
    assert "".join(sorted(found["title"][0] for found in sync.get("Ticket", query, "title"))) == titles


PARSER = "OQLParserSyntaxErrorException"
REFUSED = [
    ("SELECT UserRequest ORDER BY id", PARSER, "Unexpected token NAME - found 'ORDER' at 19"),
    ("SELECT UserRequest LIMIT 1", PARSER, "Unexpected token NAME - found 'LIMIT' at 19"),
    ("SELECT UserRequest WHERE", PARSER, "Unexpected token End of Input"),
    ("SELECT", PARSER, "Unexpected token End of Input"),
    ("SELECT UserRequest WHERE title =", PARSER, "Unexpected token End of Input"),
    ("SELECT UserRequest WHERE (title = 'A'", PARSER, "Unexpected token End of Input"),
    ("SELECT UserRequest WHERE title = 'A' title", PARSER, "Unexpected token NAME - found 'title' at 37"),
    ("SELECT UserRequest WHERE id IN ()", PARSER, "Unexpected token PAR_CLOSE - found ')' at 32"),
    ("SELECT UserRequest WHERE title LIKE", PARSER, "Unexpected token End of Input"),
    ("SELECT UserRequest JOIN Person ON caller_id", PARSER, "Unexpected token End of Input"),
    ("select UserRequest", PARSER, "Unexpected token NAME - found 'UserRequest' at 7"),
    ("SELECT UserRequest; DELETE", "OQLLexerException", "Syntax error - found ';' at 18"),
    ("SELECT UserRequest WHERE title = 'open", "OQLLexerException", "Syntax error - found ''' at 33"),
    ("SELECT UserRequest WHERE title <> 'A'", PARSER, "Unexpected token GT - found '>' at 32"),
    ("SELECT UserRequest WHERE LOWER(title) = 'a'", PARSER, "Unexpected token PAR_OPEN - found '(' at 30"),
    ("SELECT Nope", "UnknownClassOqlException", "Unknown class - found 'Nope' at 7"),
    ("SELECT UserReqest", "UnknownClassOqlException", "I would suggest to use 'UserRequest'"),
    ("SELECT UserRequest WHERE nope = 1", "OqlNormalizeException", "Unknown filter code - found 'nope' at 25"),
    ("SELECT UserRequest AS t WHERE x.title = 'A'", "OqlNormalizeException", "Unknown class [alias] - found 'x' at 30"),
    ("SELECT Ticket WHERE status = 'new'", "OqlNormalizeException", "Unknown filter code - found 'status'"),
    (
        "SELECT UserRequest AS t JOIN Person AS p ON t.caller_id = p.id WHERE name = 'x' AND org_id = 1",
        "OqlNormalizeException", "Ambiguous filter code - found 'org_id'",
    ),
    (
        "SELECT UserRequest AS t JOIN Person AS t ON t.caller_id = t.id",
        "OqlNormalizeException", "Duplicate class alias - found 't' at 39",
    ),
    ("SELECT UserRequest UNION SELECT Person", "OqlNormalizeException", "could not find a common ancestor"),
    ("SELECT UserRequest WHERE org_id = :current_contact->org_id", "MissingQueryArgument", "Missing query argument"),
    ("1 = 1", "OQLException", "Expecting an OQL query"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "kind", "words"), REFUSED, ids=[query for query, _, _ in REFUSED])
def test_a_query_is_refused(sync: Caller, query: str, kind: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        sync.get("UserRequest", query)
    assert refused.value.code == 100
    assert f"Error: Query failed to execute: query = {query}, exception_class = {kind}" in refused.value.message
    assert words in refused.value.message


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
