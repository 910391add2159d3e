"""Of an error's text nothing is kept that may be a ticket's."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.errors import REMOTE_TEXT_LIMIT
from itopsync.itop.body import Contents
from itopsync.itop.wording import MOST_READ, NOT_KEPT, database_error, query_fault, reason
from itopsync.settings.secrets import Secret
from tests.costs import grows_with_length

SENT = {
    "title": "Salary of Mrs Miller",
    "private_log": {"add_item": {"message": "<p>It is 4711 <b>Thaler</b></p>"}},
    "caller_id": 17,
    "contents": {"data": Contents(b"bytes"), "filename": "dismissal.pdf"},
    "items": [{"message": "nested"}],
}
FAILED = "Error: Query failed to execute: query = SELECT X, exception_class = E, exception_message = "
SQL = (
    "Error: Failed to issue SQL query: query = UPDATE `ticket` SET x = 'Salary of Mrs Miller', mysql_errno = {}, mysql_error = {}"
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Error: colour: Unknown attribute", "colour: Unknown attribute"),
        ("Error: org_id: No item found with criteria: name: Miller (Miller)", "org_id: No item found"),
        ("Error: contacts_list: contact_id: Several items found (2) for query: SELECT Person", None),
        ('Error: start_date: Wrong format for date attribute start_date, expecting "Y" and got "Miller"', None),
        ("Missing mandatory attribute(s) for applying the stimulus: solution, team_id.", None),
        (
            "Invalid stimulus: 'ev_close' on the object Salary of Mrs Miller in state 'new'",
            "Invalid stimulus: 'ev_close' in state 'new'",
        ),
        ("Invalid stimulus: 'ev_close' on the object it's 'new'\nin state 'x' in state 'new'", None),
        (
            "Error: Unexpected value for attribute 'Title' (title) : Null not allowed, Unexpected value for attribute "
            "'Impact' (impact) : Value not allowed [Miller]: issues = {0=>Miller (urgency) : Null not allowed}, class = X",
            "title: Null not allowed, impact: Value not allowed",
        ),
        (
            "Error: Unexpected value for attribute 'title': Null not allowed, Unexpected value for attribute 'impact': "
            "Value not allowed [Miller]: issues = {0=>Miller: Null not allowed}, class = X",  # iTop 2.7
            "title: Null not allowed, impact: Value not allowed",
        ),
        # in the language of the account
        ("Error: Valeur inattendue pour l'attribut 'Titre' (title) : String too long (found 300, limited to 255)", None),
        # an extension's own words
        (
            "Error: Please name a cost centre: issues = {0=>Please name a cost centre}, class = UserRequest",
            "Please name a cost centre",
        ),
        ("Error: The salary of Thaler needs a cost centre", "The … of … needs a cost centre"),
        ("Error: The dismissal is nested", "The … is …"),
        ("Error: Rule violated by «Something stored»", "Rule violated by"),
        ('Error: Can\'t be: "Something stored"', "Can't be"),
        ("Error: 'Something stored'", "iTop's reason quotes the ticket, and is not kept"),
        ("Error: Miller", "iTop's reason quotes the ticket, and is not kept"),
        ("", "iTop's reason quotes the ticket, and is not kept"),
        # a database's
        (SQL.format(1366, "Incorrect string value: 'Miller' for column `itop`.`ticket`.`title` at row 1"), None),
        (SQL.format(1062, "Duplicate entry 'Miller' for key 'PRIMARY'"), "MySQL error 1062 (duplicate)"),
        (SQL.format(1062, "Duplicate entry 'the column Miller' for key 'PRIMARY'"), "MySQL error 1062 (duplicate)"),
        (SQL.format(1366, "Incorrect value: 'column Miller' for column 'x' at row 1"), None),
        (SQL.format(1406, "Data too long for column 'title' at row 1}"), "MySQL error 1406 (data too long) (column title)"),
        (SQL.format(4711, "Miller"), "MySQL error 4711"),
    ],
)
def test_what_is_kept_of_a_refusal(text: str, kept: str | None) -> None:
    told = reason(text, SENT)
    if kept is not None:
        assert told == kept
    for word in ("Miller", "Mrs", "Salary of", "Thaler", "4711 ", "Something", "stored"):
        assert word not in told
    assert told
    assert "\n" not in told


@given(
    st.sampled_from(["Error: ", "", "Error: title: ", "Rule: ", "Invalid stimulus: 'ev_x' on the object "]),
    st.lists(st.text(string.ascii_letters + "äßé", min_size=3, max_size=12), min_size=1, max_size=6),
    st.sampled_from(["{}", "[{}]", "'{}'", "Value not allowed [{}]", "{} is not nice", "x {} in state 'new'", "query = {}"]),
)
def test_no_word_that_was_sent_is_in_a_reason(before: str, words: list[str], around: str) -> None:
    ours = [f"zq{word}" for word in words]
    told = reason(before + around.format(" ".join(ours)), {"title": " ".join(ours)})
    assert not any(word.casefold() in told.casefold() for word in ours)


@given(st.text())
def test_any_text_gives_one_short_line(text: str) -> None:
    for told in (reason(text, {}), query_fault(text) or "-"):
        assert len(told) <= REMOTE_TEXT_LIMIT
        assert told == " ".join(told.split())


@pytest.mark.parametrize("filler", ["word ", "'", "(a) : ", "x: ", "mysql_errno = ", "in state '", "["])
def test_reading_a_text_takes_time_with_its_length(filler: str) -> None:
    def read(text: str) -> None:
        reason(text, {"description": "x " * 30_000})
        query_fault(text)

    assert grows_with_length(read, lambda count: "Error: " + filler * count, 1_000_000 // len(filler))


def test_the_database_s_own_error_is_the_last() -> None:
    # The SQL before it holds a ticket, and a ticket may hold anything.
    error = database_error(
        SQL.format(1406, "Data too long for column 'title' at row 1").replace("Salary", "mysql_errno = 2006, mysql_error = gone")
    )
    assert error is not None
    assert (error.number, error.column, error.too_long) == (1406, "title", True)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "Error: Query failed to execute: query = SELECT X, exception_class = E, exception_message = Unknown class - found "
            "'X' at 7 in 'SELECT X', expecting {Person, Ticket}",
            "Unknown class - found 'X' at 7",
        ),
        ("Error: Missing query argument: expecting = nope, available = {}", "Missing query argument: expecting = nope"),
        (SQL.format(1054, "Unknown column 'x'"), "MySQL error 1054 (column x)"),
        ("Error: Unknown class - found 'X' at 7 in 'SELECT X', expecting {Person, Ticket}", "Unknown class - found 'X' at 7"),
        ("Error: Unknown filter code - found 'Mrs Miller' at 7 in 'SELECT X'", "Unknown filter code"),
        ("Error: Syntax error - found '$' at 3 in 'a $'", "Syntax error - found '$' at 3"),
        (f"{FAILED}Unexpected input at line 1: $", "Unexpected input at line 1: $"),
        (f"{FAILED}a is not a valid alias", "a is not a valid alias"),
        (
            f'{FAILED}DBObjectSearch::__construct called for an invalid class: "Nope"',
            'DBObjectSearch::__construct called for an invalid class: "Nope"',
        ),
        (
            f"{FAILED}Only instance of ScalarExpression or VariableExpression are allowed in MATCHES FieldOqlExpression found",
            "Only instance of ScalarExpression or VariableExpression are allowed in MATCHES FieldOqlExpression found",
        ),
        (
            f"{FAILED}Incompatible classes: could not find a common ancestor - found 'Person' at 32 in 'x', expecting {{}}",
            "Incompatible classes: could not find a common ancestor - found 'Person' at 32",
        ),
        (
            f"{FAILED}Wrong format for Join clause (right hand), expecting an id - found 'org_id' at 60 in 'SELECT'",
            "Wrong format for Join clause (right hand), expecting an id - found 'org_id' at 60",
        ),
        ("Error: org_id: No item found for query: SELECT Person WHERE email = 'miller@a.example'", "org_id: No item found"),
    ],
)
def test_what_is_kept_of_a_query_s_fault(text: str, kept: str) -> None:
    assert query_fault(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Error: The moon is full",
        "Error: audit: Salary of Mrs Miller",
        "Error: Unknown salary of Mrs Miller",
        "Error: Query failed to execute: query = SELECT X, exception_message = Mrs Miller",
        "Mrs Miller: Unknown attribute",
        "Error: Missing query argument: expecting = Mrs Miller, available = {}",
    ],
)
def test_nothing_is_kept_of_what_refuses_a_read_in_words_of_its_own(text: str) -> None:
    assert query_fault(text) is None


TEXT = "<p>Kennwort รหัสลับ 密码本 na&iuml;vexq R\u00e9sum\u00e9 ge<b>heim</b> hun\u00adter o\u2019brien sandi_kata stra\u00dfe</p>"


@pytest.mark.parametrize(
    "quoted",
    [
        "รหัสลับ",
        "รหัส",
        "ruleรหัสลับ",
        "密码",
        "naïvexq",
        "nai\u0308vexq",
        "na&iuml;vexq",
        "na&#239;vexq",
        "na%C3%AFvexq",
        "na\\u00efvexq",
        "naivexq",
        "RÉSUMÉ",
        "ＫＥＮＮＷＯＲＴ",
        "_kennwort_",
        "kennwort_x",
        "sandi",
        "geheim",
        "gehe\u200bim",
        "hunter",
        "obrien",
        "STRASSE",
        "kennwort%20na",
        "kenn<b></b>wort",
        "kenn[wort",
        "kennwort\u2026",
    ],
)
def test_what_was_sent_is_known_in_other_spellings(quoted: str) -> None:
    told = reason(f"Error: forbids {quoted} as of now", {"private_log": {"items": [{"message": TEXT}]}})
    assert told.removesuffix(" … as of now") == "forbids"


def test_a_text_that_shows_no_sent_word_is_kept_as_it_is() -> None:
    words = "Priorität muß über 3 liegen: คำนี้ – see_also cost-centre"
    assert reason(f"Error: {words}", {"title": "Kennwort"}) == words


@pytest.mark.parametrize("text", ["login with Tr0ub4-dor% failed", "AUTH_PWD=TR0UB4-DOR%", "x <b>Tr0ub4-dor%</b>"])
def test_nothing_is_kept_of_what_quotes_a_secret(text: str) -> None:
    assert reason(text, {}, (Secret(""), Secret("Tr0ub4-dor%"))) == NOT_KEPT


def test_no_part_of_a_word_is_kept_where_a_long_text_is_cut() -> None:
    for blanks in range(MOST_READ - 20, MOST_READ + 5):
        told = reason(f"no{' ' * blanks}geheimnis, pass word", ("geheimnis",), (Secret("pass word"),))
        assert told in (NOT_KEPT, "no …")


def test_no_word_of_a_secret_is_kept() -> None:
    assert reason("forbids battery to staple%25horse", {}, (Secret("battery staple%horse"),)) == "forbids … to"
