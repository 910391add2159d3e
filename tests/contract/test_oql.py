"""OQL: what a scope condition may say, what it finds, and what is refused in iTop's words."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.conftest import Itop
from tests.simulator.caller import Refused


@pytest.fixture(scope="module")
def tickets(itop: Itop) -> dict[str, int]:
    """Four tickets: A, B and C are requests, C a child of A, and d is an incident."""
    now = datetime.now(UTC)
    yesterday, before = (f"{now - timedelta(days=days):%Y-%m-%d} 12:00:00" for days in (1, 4))
    text = "<p>printer &amp; ink</p>"
    a = itop.ticket(title="A", start_date=before, description=text, impact="1", urgency="1", origin="mail")
    note = '<p><a name="itopsync-1"></a>Marked</p>'
    b = itop.ticket(title="B", start_date=yesterday, org_id=2, caller_id=7, agent_id=9, team_id=37, private_log=note)
    c = itop.ticket(title="C", start_date="2020-10-01 12:30:45", parent_request_id=a, status="waiting_for_approval")
    d = itop.ticket("Incident", title="d_100%", description="<p>Été</p>")
    itop.sync.attach("UserRequest", a, "a.txt", b"a")
    itop.sync.attach("Incident", d, "d.txt", b"d")
    return {"A": a, "B": b, "C": c, "d": d}


#: Queries ({A} stands for the id of ticket A), and which of the four tickets they find.
FOUND = [
    # aliases, classes
    ("SELECT UserRequest", "ABC"),
    ("SELECT Ticket", "ABCd"),
    ("SELECT UserRequest AS t", "ABC"),
    ("SELECT `UserRequest` AS `t` WHERE `t`.`title` = 'A'", "A"),
    ("SELECT Ticket AS t WHERE t.finalclass = 'Incident'", "d"),
    ("SELECT Ticket WHERE finalclass IN ('UserRequest', 'Incident')", "ABCd"),
    ("SELECT t FROM UserRequest AS t WHERE t.title = 'B'", "B"),
    ("  SELECT UserRequest\n\tWHERE title\n= 'A'", "A"),
    # comparison
    ("SELECT UserRequest WHERE title = 'a'", "A"),
    ('SELECT UserRequest WHERE title = "A "', "A"),
    ("SELECT UserRequest WHERE title = 'Á'", "A"),
    ("SELECT UserRequest WHERE title != 'A'", "BC"),
    ("SELECT UserRequest WHERE title > 'A' AND title <= 'C'", "BC"),
    ("SELECT UserRequest WHERE org_id = 2", "B"),
    ("SELECT UserRequest WHERE org_id = '2'", "B"),
    ("SELECT UserRequest WHERE 2 = org_id", "B"),
    ("SELECT UserRequest WHERE org_id = 0x2", "B"),
    ("SELECT UserRequest WHERE id >= {B} AND id < {C}", "B"),
    ("SELECT UserRequest WHERE org_id - 1 = 1", "B"),
    ("SELECT UserRequest WHERE org_id * 2 + 1 = 7", "AC"),
    ("SELECT UserRequest WHERE id = -1", ""),
    ("SELECT UserRequest WHERE id = 'abc'", ""),
    ("SELECT UserRequest WHERE (org_id & 1) = 1", "AC"),
    ("SELECT UserRequest WHERE 1 << org_id = 4", "B"),
    # logic: AND before OR, parentheses, truth, unknown values
    ("SELECT UserRequest WHERE title = 'A' OR title = 'B' AND org_id = 3", "A"),
    ("SELECT UserRequest WHERE (title = 'A' OR title = 'B') AND org_id = 2", "B"),
    ("SELECT UserRequest WHERE 1", "ABC"),
    ("SELECT UserRequest WHERE 0", ""),
    ("SELECT UserRequest WHERE agent_id", "B"),
    ("SELECT UserRequest WHERE title", ""),
    ("SELECT UserRequest WHERE end_date < '2030-01-01'", ""),
    ("SELECT UserRequest WHERE title = NULL", ""),
    ("SELECT UserRequest WHERE 1/0 = 1", ""),
    ("SELECT UserRequest WHERE ISNULL(end_date)", "ABC"),
    ("SELECT UserRequest WHERE ISNULL(agent_id)", ""),
    ("SELECT UserRequest WHERE ISNULL(solution)", ""),
    ("SELECT UserRequest WHERE origin = 'mail' OR ISNULL(assignment_date)", "ABC"),
    # lists
    ("SELECT UserRequest WHERE id IN ({A}, {C}, 99999999)", "AC"),
    ("SELECT UserRequest WHERE id NOT IN ({A}, {C})", "B"),
    ("SELECT UserRequest WHERE status IN ('new', 'waiting_for_approval')", "ABC"),
    ("SELECT UserRequest WHERE title IN ('a')", "A"),
    ("SELECT UserRequest WHERE id IN (SELECT UserRequest WHERE title = 'B')", "B"),
    ("SELECT UserRequest WHERE caller_id IN (SELECT Person AS p WHERE p.org_id = 2)", "B"),
    ("SELECT UserRequest WHERE caller_id IN (SELECT Person WHERE first_name = 'Victor')", "B"),
    ("SELECT UserRequest WHERE id NOT IN (SELECT UserRequest AS x WHERE x.title = 'B')", "AC"),
    ("SELECT Ticket WHERE id IN (SELECT Incident UNION SELECT UserRequest WHERE title = 'A')", "Ad"),
    # LIKE and REGEXP
    ("SELECT UserRequest WHERE description LIKE '%PRINTER%'", "A"),
    ("SELECT UserRequest WHERE description LIKE '%&amp;%'", "A"),
    ("SELECT UserRequest WHERE description NOT LIKE '%printer%'", "BC"),
    ("SELECT Ticket WHERE title LIKE '_'", "ABC"),
    ("SELECT Ticket WHERE title LIKE 'D%'", "d"),
    ("SELECT Ticket WHERE title LIKE '%\\\\%'", "d"),
    ("SELECT Ticket WHERE description LIKE '%ete%'", "d"),
    ("SELECT UserRequest WHERE private_log LIKE '%itopsync-1%'", "B"),
    ("SELECT Ticket WHERE private_log LIKE '%marked%'", "B"),
    ("SELECT UserRequest WHERE private_log NOT LIKE '%marked%'", "AC"),
    ("SELECT UserRequest WHERE private_log = ''", "AC"),
    ("SELECT UserRequest WHERE title REGEXP '^[ab]$'", "AB"),
    # joins, and attributes of what a key points at
    ("SELECT UserRequest AS t JOIN Person AS p ON t.caller_id = p.id WHERE p.name = 'Hugo'", "B"),
    ("SELECT UserRequest AS t JOIN Organization AS o ON t.org_id = o.id WHERE o.name LIKE 'IT%'", "B"),
    ("SELECT UserRequest AS t JOIN Attachment AS a ON a.item_id = t.id WHERE a.item_class = 'UserRequest'", "A"),
    ("SELECT c FROM UserRequest AS c JOIN UserRequest AS p ON c.parent_request_id = p.id WHERE p.title = 'A'", "C"),
    (
        "SELECT UserRequest AS t JOIN Organization AS o ON t.org_id = o.id"
        " JOIN Organization AS root ON o.parent_id BELOW root.id WHERE root.id = 3",
        "AC",
    ),
    (
        "SELECT UserRequest WHERE org_id IN"
        " (SELECT Organization AS o JOIN Organization AS r ON o.parent_id BELOW r.id WHERE r.id = 3)",
        "AC",
    ),
    (
        "SELECT UserRequest WHERE org_id IN"
        " (SELECT Organization AS o JOIN Organization AS r ON o.parent_id NOT BELOW r.id WHERE r.id = 3)",
        "B",
    ),
    (
        "SELECT UserRequest AS t JOIN Team AS g ON t.team_id = g.id JOIN lnkPersonToTeam AS l ON l.team_id = g.id"
        " WHERE l.person_id = 9",
        "B",
    ),
    # a key that may be empty is joined from the left
    ("SELECT UserRequest AS t JOIN Team AS g ON t.team_id = g.id", "ABC"),
    ("SELECT UserRequest AS t JOIN Team AS g ON t.team_id = g.id WHERE ISNULL(g.name)", "AC"),
    ("SELECT UserRequest AS t JOIN Team AS g ON t.team_id = g.id WHERE g.name != 'x'", "B"),
    ("SELECT UserRequest AS t JOIN Person AS p ON t.agent_id = p.id JOIN Organization AS o ON p.org_id = o.id", "ABC"),
    ("SELECT UserRequest AS t JOIN UserRequest AS c ON c.parent_request_id = t.id", "A"),
    ("SELECT UserRequest WHERE org_name = 'Demo'", "AC"),
    ("SELECT UserRequest WHERE caller_id_friendlyname = 'Victor Hugo'", "B"),
    ("SELECT Ticket WHERE operational_status = 'ongoing'", "ABCd"),
    # unions
    ("SELECT UserRequest WHERE title = 'A' UNION SELECT UserRequest WHERE title = 'B'", "AB"),
    ("SELECT UserRequest WHERE title = 'A' UNION SELECT UserRequest UNION SELECT UserRequest WHERE title = 'B'", "ABC"),
    ("SELECT UserRequest UNION SELECT Incident", "ABCd"),
    # dates
    ("SELECT UserRequest WHERE start_date >= '2021-01-01 00:00:00'", "AB"),
    ("SELECT UserRequest WHERE start_date < '2021-01-01'", "C"),
    ("SELECT UserRequest WHERE start_date > '2020-10-01 12:30:44' AND start_date < '2020-10-02'", "C"),
    ("SELECT UserRequest WHERE start_date < '2030-01'", ""),
    ("SELECT UserRequest WHERE start_date < 'no date'", ""),
    ("SELECT UserRequest WHERE start_date > DATE_SUB(NOW(), INTERVAL 60 HOUR)", "B"),
    ("SELECT UserRequest WHERE DATE_ADD(start_date, INTERVAL 1 MONTH) < NOW()", "C"),
    ("SELECT UserRequest WHERE DATE_ADD(start_date, INTERVAL 20 YEAR) < NOW()", ""),
    ("SELECT UserRequest WHERE DATE(start_date) = CURRENT_DATE()", ""),
    ("SELECT UserRequest WHERE DATE(start_date) = '2020-10-01'", "C"),
    ("SELECT UserRequest WHERE YEAR(start_date) = 2020 AND MONTH(start_date) = 10 AND DAY(start_date) = 1", "C"),
    ("SELECT UserRequest WHERE DATE_FORMAT(start_date, '%Y-%m') = '2020-10'", "C"),
    ("SELECT UserRequest WHERE DATE_FORMAT(start_date, '%e.%c.%y %H:%i:%s') = '1.10.20 12:30:45'", "C"),
    ("SELECT UserRequest WHERE TIME(start_date) = '12:30:45'", "C"),
    ("SELECT UserRequest WHERE TO_DAYS(NOW()) - TO_DAYS(start_date) < 3", "B"),
    ("SELECT UserRequest WHERE TO_DAYS(start_date) = 738064", "C"),
    ("SELECT UserRequest WHERE FROM_DAYS(TO_DAYS(start_date)) = '2020-10-01'", "C"),
    # the other functions
    ("SELECT UserRequest WHERE CONCAT(title, '-', org_id) = 'A-3'", "A"),
    ("SELECT UserRequest WHERE CONCAT(title, NULL) = 'A'", ""),
    ("SELECT UserRequest WHERE SUBSTR(ref, 1, 2) = 'R-'", "ABC"),
    ("SELECT UserRequest WHERE SUBSTR(ref, -6, 1) = '0'", "ABC"),
    ("SELECT UserRequest WHERE TRIM(CONCAT(' ', title)) = 'A'", "A"),
    ("SELECT UserRequest WHERE IF(org_id = 2, 'yes', 'no') = 'yes'", "B"),
    ("SELECT UserRequest WHERE ELT(org_id, 'x', 'y', 'z') = 'z'", "AC"),
    ("SELECT UserRequest WHERE COALESCE(end_date, start_date) < '2020-11-01'", "C"),
    ("SELECT UserRequest WHERE FLOOR(org_id / 2) = 1", "ABC"),
    ("SELECT UserRequest WHERE ROUND(org_id / 2) = 1", "B"),
    ("SELECT UserRequest WHERE INET_ATON('0.0.0.2') = org_id", "B"),
    ("SELECT UserRequest WHERE INET_NTOA(org_id) = '0.0.0.2'", "B"),
    # arguments that iTop gives to every query
    ("SELECT UserRequest WHERE caller_id = :current_contact_id", ""),
    ("SELECT UserRequest WHERE :current_contact->org_id > 0", "ABC"),
    # quotes
    (r"SELECT UserRequest WHERE title = 'it\'s'", ""),
    ('SELECT UserRequest WHERE title = "it\'s"', ""),
]


@pytest.mark.parametrize(("query", "titles"), FOUND, ids=[query for query, _ in FOUND])
def test_a_query_finds(itop: Itop, tickets: dict[str, int], query: str, titles: str) -> None:
    for name, key in tickets.items():
        query = query.replace(f"{{{name}}}", str(key))
    found = {int(row["id"]) for row in itop.sync.get("Ticket", query)}
    assert "".join(name for name, key in tickets.items() if key in found) == titles


PARSER, NORMALIZE = "OQLParserSyntaxErrorException", "OqlNormalizeException"
END = "Unexpected token End of Input - found '0' at 0"
REFUSED = [
    ("SELECT UserRequest ORDER BY id", PARSER, "Unexpected token NAME - found 'ORDER' at 19"),
    ("SELECT UserRequest LIMIT 1", PARSER, "Unexpected token NAME - found 'LIMIT' at 19"),
    ("SELECT UserRequest WHERE", PARSER, END),
    ("SELECT", PARSER, END),
    ("SELECT UserRequest WHERE title =", PARSER, END),
    ("SELECT UserRequest WHERE (title = 'A'", PARSER, END),
    ("SELECT UserRequest WHERE title = 'A' title", PARSER, "Unexpected token NAME - found 'title' at 37"),
    ("SELECT UserRequest WHERE id IN ()", PARSER, "Unexpected token PAR_CLOSE - found ')' at 32"),
    ("SELECT UserRequest JOIN Person ON caller_id", PARSER, END),
    ("select UserRequest", PARSER, "Unexpected token NAME - found 'UserRequest' at 7"),
    ("SELECT UserRequest WHERE title <> 'A'", PARSER, "Unexpected token GT - found '>' at 32"),
    ("SELECT UserRequest WHERE title = 'A' and org_id = 3", PARSER, "Unexpected token NAME - found 'and' at 37"),
    ("SELECT UserRequest WHERE NOT title = 'A'", PARSER, "Unexpected token NAME - found 'title' at 29"),
    ("SELECT UserRequest WHERE title IS NULL", PARSER, "Unexpected token NAME - found 'IS' at 31"),
    ("SELECT UserRequest WHERE LOWER(title) = 'a'", PARSER, "Unexpected token PAR_OPEN - found '(' at 30"),
    ("SELECT UserRequest; DELETE", "Exception", "Unexpected input at line 1: ;"),
    ("SELECT UserRequest WHERE\ntitle = 'open", "Exception", "Unexpected input at line 2: '"),
    ("SELECT Nope", "UnknownClassOqlException", "Unknown class - found 'Nope' at 7"),
    ("SELECT UserReqest", "UnknownClassOqlException", "I would suggest to use 'UserRequest'"),
    ("SELECT UserRequest WHERE nope = 1", NORMALIZE, "Unknown filter code - found 'nope' at 25"),
    ("SELECT UserRequest AS t WHERE x.title = 'A'", NORMALIZE, "Unknown class [alias] - found 'x' at 30"),
    ("SELECT x FROM UserRequest AS t", NORMALIZE, "Unknown class [alias] - found 'x' at 7"),
    ("SELECT Ticket WHERE status = 'new'", NORMALIZE, "Unknown filter code - found 'status' at 20"),
    (
        "SELECT UserRequest AS t JOIN Person AS p ON t.caller_id = p.id WHERE first_name = 'x' AND org_id = 1",
        NORMALIZE, "Ambiguous filter code - found 'org_id'",
    ),
    (
        "SELECT UserRequest WHERE caller_id IN (SELECT Person WHERE org_id = 2)",
        NORMALIZE, "Ambiguous filter code - found 'org_id' at 59 in ''",
    ),
    ("SELECT UserRequest WHERE id IN (SELECT Person WHERE x.id = 2)", NORMALIZE, "Unknown class [alias] - found 'x' at 52 in ''"),
    (
        "SELECT UserRequest AS t JOIN Person AS t ON t.caller_id = t.id",
        NORMALIZE, "Duplicate class alias - found 't' at 39",
    ),
    (
        "SELECT UserRequest AS t JOIN Person AS p ON t.title = p.id",
        NORMALIZE, "Unknown key in join condition (left expression) - found 'title' at 46",
    ),
    (
        "SELECT UserRequest AS t JOIN Person AS p ON t.caller_id = t.id",
        NORMALIZE, "The joined class (UserRequest) is not compatible with the external key, which is pointing to Person",
    ),
    (
        "SELECT UserRequest AS t JOIN Person AS p ON t.caller_id = p.name",
        NORMALIZE, "Wrong format for Join clause (right hand), expecting an id - found 'name' at 60",
    ),
    (
        "SELECT UserRequest AS t JOIN Organization AS o ON t.org_id BELOW o.id",
        NORMALIZE, "The specified tree operator BELOW is not applicable to the key - found 'org_id' at 52",
    ),
    ("SELECT UserRequest UNION SELECT Person", NORMALIZE, "could not find a common ancestor - found 'Person' at 32"),
    ("1 = 1", "OQLException", "Expecting an OQL query"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "kind", "words"), REFUSED, ids=[query for query, _, _ in REFUSED])
def test_a_query_is_refused(itop: Itop, query: str, kind: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        itop.sync.get("UserRequest", query)
    assert refused.value.code == 100
    quoted = refused.value.message.startswith(f"Error: Query failed to execute: query = {query}, exception_class = {kind}")
    assert quoted == itop.answers.quotes_queries
    assert words in refused.value.message


def test_an_argument_that_nobody_gives_is_missing(itop: Itop) -> None:
    with pytest.raises(Refused, match=r"^Error: Missing query argument: expecting = this->org_id, available = \{\}$"):
        itop.sync.get("UserRequest", "SELECT UserRequest WHERE org_id = :this->org_id")


@pytest.mark.usefixtures("tickets")  # an expression that no row is held against is not evaluated
@pytest.mark.parametrize(
    ("condition", "code", "error"),
    [
        ("title REGEXP '['", 1139, "Regex error"),
        ("title MATCHES 'A'", 1191, "Can't find FULLTEXT index"),
        ("DATE_ADD(start_date, 3) < NOW()", 1064, "You have an error in your SQL syntax"),
    ],
)
def test_what_only_the_database_refuses_has_its_code(itop: Itop, condition: str, code: int, error: str) -> None:
    with pytest.raises(Refused, match=r"^Error: Failed to issue SQL query: query = SELECT") as refused:
        itop.sync.get("UserRequest", f"SELECT UserRequest WHERE {condition}")
    assert refused.value.code == code
    assert re.search(f"mysql_errno = {code}, mysql_error = {re.escape(error)}", refused.value.message)


def test_a_sub_select_may_not_depend_on_the_query_around_it(itop: Itop, tickets: dict[str, int]) -> None:
    """2.7 finds what it should, or refuses it like the others, as its cache of queries happens to be filled."""
    query = "SELECT UserRequest WHERE caller_id IN (SELECT Person AS p WHERE p.org_id = UserRequest.org_id)"
    answer = itop.sync.ask("core/get", "UserRequest", key=query, output_fields="id")
    if itop.version == "2.7" and answer["code"] == 0:
        found = {int(row["fields"]["id"]) for row in answer["objects"].values()}
        assert found.issuperset(tickets[name] for name in "ABC")
        return
    assert answer["code"] == 1054
    assert answer["message"].startswith("Error: Failed to issue SQL query: query = SELECT")
    assert "mysql_errno = 1054, mysql_error = Unknown column 'UserRequest.org_id'" in answer["message"]


def test_an_empty_query_is_a_php_error(itop: Itop) -> None:
    response = itop.sync.post({"operation": "core/get", "class": "UserRequest", "key": "", "output_fields": "id"})
    assert response.status_code == 500
