"""Converts what a client sends to what is stored: ``FindObjectFromKey``, ``MakeValue`` and the checks before a write."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from itopsync.simulator import html
from itopsync.simulator.caselog import EMPTY, CaseLog, Entry
from itopsync.simulator.dates import exists, is_stored_form, local, timestamp_of
from itopsync.simulator.oql_functions import fold
from itopsync.simulator.oql_query import compile_query
from itopsync.simulator.oql_syntax import LexerError, OqlError
from itopsync.simulator.reading import value as stored_value
from itopsync.simulator.refusals import Crash, Refusal
from itopsync.simulator.schema import Attribute, ItopClass
from itopsync.simulator.session import Session
from itopsync.simulator.store import Document, Row
from itopsync.simulator.versions import Traits

_NUMERIC = re.compile(r"^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
#: The maximum number of characters in a string attribute, and in any text attribute.
STRING_LIMIT = 255
TEXT_LIMIT = 65_535


def is_numeric(value: Any) -> bool:
    """PHP's ``is_numeric``."""
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float)) or (isinstance(value, str) and _NUMERIC.match(value) is not None)


def php_string(value: Any) -> str:
    """PHP's conversion to a string, which fails for an object."""
    if isinstance(value, dict):
        raise Crash
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if isinstance(value, list):
        return "Array"
    return str(value)


def php_int(value: Any) -> int:
    """PHP's conversion to an integer: the leading digits of a text."""
    if isinstance(value, (bool, int, float)):
        return int(value)
    found = re.match(r"\s*[-+]?\d+", php_string(value))
    return int(found[0]) if found else 0


def whole(key: Any) -> int:
    """The id that a number represents; 0, which no object has, for a fraction."""
    number = float(key)
    return int(number) if number.is_integer() else 0


def find_one(class_name: str, key: Any, session: Session) -> Row:
    """The one object that a key identifies: an id, an OQL query or criteria. Raises :class:`Refusal`."""
    if isinstance(key, dict):
        return _one_by_criteria(class_name, key, session)
    if is_numeric(key):
        row = session.see(class_name, whole(key))
        if row is None:
            raise Refusal(f"Invalid object {class_name}::{php_string(key)}")
        return row
    if isinstance(key, str):
        if not key:
            raise Crash  # an empty query is a TypeError in PHP 8
        try:
            rows = compile_query(key, session.schema).run(session.context())
        except (LexerError, OqlError) as error:
            raise Refusal(str(error)) from None
        return _exactly_one(rows, f"query: {key}")
    raise Refusal("Wrong format for key")


def _exactly_one(rows: list[Row], described: str) -> Row:
    if not rows:
        raise Refusal(f"No item found {'for' if described.startswith('query') else 'with'} {described}")
    if len(rows) > 1:
        link = "for" if described.startswith("query") else "with"
        raise Refusal(f"Several items found ({len(rows)}) {link} {described}")
    return rows[0]


def _one_by_criteria(class_name: str, criteria: dict[str, Any], session: Session) -> Row:
    conditions, report = [], []
    for code, given in criteria.items():
        value = make_value(session.schema[class_name], code, given, session)
        conditions.append((code, value))
        shown = json.dumps(given, separators=(",", ":")) if isinstance(given, dict) else php_string(given)
        report.append(f"{code}: {shown} ({php_string(value)})")
    return _exactly_one(matching(class_name, conditions, session), "criteria: " + ", ".join(report))


def matching(class_name: str, conditions: list[tuple[str, Any]], session: Session) -> list[Row]:
    """The rows that meet all conditions, compared as the database compares text."""
    attributes, store = session.schema[class_name].attributes, session.store
    wanted = [(attributes[code], fold(php_string(content))) for code, content in conditions]

    def agrees(row: Row) -> bool:
        return all(fold(php_string(stored_value(row, attribute, store))) == content for attribute, content in wanted)

    return [row for row in store.rows(class_name) if session.sees(row) and agrees(row)]


def make_value(itop_class: ItopClass, code: str, given: Any, session: Session) -> Any:
    """The value that ``given`` represents for an attribute, before conversion to the stored type (see :func:`convert`)."""
    if code not in itop_class.attributes:
        raise Refusal(f"{code}: Unknown attribute")
    attribute = itop_class.attributes[code]
    if attribute.type == "linkset" and not isinstance(given, list):
        raise Refusal(f"{code}: A link set must be defined by an array of objects")
    if attribute.type != "extkey":
        return given
    if is_numeric(given) and float(given) == 0:
        return 0
    try:
        return int(find_one(attribute.target, given, session)["id"])
    except Refusal as refusal:
        raise Refusal(f"{code}: {refusal.message}", refusal.code) from None


def convert(attribute: Attribute, value: Any, previous: Any, session: Session) -> Any:
    """The stored form of a value. ``previous`` is the current one, to which a log entry is appended."""
    kind = attribute.type
    if not attribute.writable:
        class_name, code = session.class_name, attribute.code
        raise Refusal(f"Attempting to set the value on the read-only attribute {class_name}::{code}")
    if kind == "caselog":
        return _convert_log(previous or EMPTY, value, session)
    conversion: Callable[[Attribute, Any, Session], Any] = _CONVERSIONS.get(kind, _convert_string)
    return conversion(attribute, value, session)


def _convert_string(_attribute: Attribute, value: Any, _session: Session) -> str:
    return php_string(value)


def _convert_html(_attribute: Attribute, value: Any, session: Session) -> str:
    if not value:
        return ""
    text = html.sanitize(php_string(value), session.app_root, session.schema.traits.white_list)
    return session.around.losses.way_in(text, "texts", session.class_name)


def _convert_enum(_attribute: Attribute, value: Any, _session: Session) -> str | None:
    return None if value is None or value == "" else php_string(value)


def _convert_integer(attribute: Attribute, value: Any, _session: Session) -> int | None:
    if value is None or value == "":
        return 0 if attribute.type in ("objectkey", "extkey") else None
    return None if attribute.type == "duration" and not is_numeric(value) else php_int(value)


def _convert_date(attribute: Attribute, value: Any, session: Session) -> str | None:
    if value is None or (value == "" and attribute.null):
        return None
    if is_numeric(value):
        return local(int(float(value)), session.timezone)
    if not isinstance(value, str):
        raise Refusal(f"Wrong format for date attribute {attribute.code}")
    if not is_stored_form(value):
        expected = 'expecting "Y-m-d H:i:s"'
        raise Refusal(f'Wrong format for date attribute {attribute.code}, {expected} and got "{value}"')
    return value


def _convert_document(_attribute: Attribute, value: Any, _session: Session) -> Document | None:
    if not isinstance(value, dict) or value.get("data") is None:
        return None
    digits = _NOT_BASE64.sub("", php_string(value["data"]))
    digits = digits[: len(digits) - 1] if len(digits) % 4 == 1 else digits
    data = base64.b64decode(digits + "=" * (-len(digits) % 4))
    return Document(data, php_string(value.get("mimetype")), php_string(value.get("filename")))


_CONVERSIONS: dict[str, Callable[[Attribute, Any, Session], Any]] = {
    "html": _convert_html,
    "enum": _convert_enum,
    "datetime": _convert_date,
    "blob": _convert_document,
    **dict.fromkeys(("int", "duration", "objectkey", "extkey"), _convert_integer),
}


def _convert_log(log: CaseLog, value: Any, session: Session) -> CaseLog:
    if isinstance(value, CaseLog):
        return value
    if isinstance(value, str):
        return log.append(_entry({"message": value}, session)) if value else log
    given = value if isinstance(value, dict) else {}
    if given.get("add_item") is not None:
        item = given["add_item"]
        if not isinstance(item, dict) or item.get("message") is None:
            raise Refusal("Missing mandatory entry: 'message'")
        return log.append(_entry(item, session))
    # The entries replace the whole log. This provides the history on a create, and wipes out earlier entries if a client sends
    # them with an update.
    items = given.get("items")
    if items is None:
        raise Refusal("Missing 'items' elements")
    if isinstance(items, dict):
        items = list(items.values())
    return CaseLog(_entry(item if isinstance(item, dict) else {}, session) for item in items if isinstance(items, list))


def _entry(item: dict[str, Any], session: Session) -> Entry:
    login: str | None
    login, user_id = session.author
    if item.get("user_id") is not None:
        login, user_id = _author(item, session)
    timestamp = session.timestamp
    if item.get("date"):
        try:
            timestamp = timestamp_of(php_string(item["date"]), session.timezone)
        except ValueError:
            date = php_string(item["date"])
            issue = f"Failed to parse time string ({date}) at position 0 ({date[:1]})"
            raise Refusal(f"{issue}: The timezone could not be found in the database") from None
    style = php_string(item.get("format") or "html")
    text = php_string(item.get("message"))
    if style == "html":
        text = html.sanitize(text, session.app_root, session.schema.traits.white_list)
        text = session.around.losses.way_in(text, "logs", session.class_name)
    return Entry(login, user_id, timestamp, text, style)


def _author(item: dict[str, Any], session: Session) -> tuple[str | None, int]:
    """The author that an administrator gives an entry: an account or, with 0, any name."""
    if not session.account.is_administrator:
        raise Refusal("Only administrators can set the user id", 1)
    if is_numeric(item["user_id"]) and float(item["user_id"]) == 0:
        return item.get("user_login"), 0
    try:
        user = find_one("User", item["user_id"], session)
    except Refusal as refusal:
        raise Refusal(f"user_id: {refusal.message}", refusal.code) from None
    return session.name_of_user(user), user["id"]


def default_of(attribute: Attribute, now: str) -> Any:
    """The default of an attribute; ``now`` is the current time in the stored form."""
    match attribute.type:
        case "extkey" | "objectkey":
            return 0
        case "int":
            return int(attribute.default) if attribute.default else None
        case "caselog":
            return EMPTY
        case "datetime":
            return None if attribute.null else now
        case "duration" | "blob":
            return None
    return attribute.default or (None if attribute.type == "enum" else "")


def issue_with(attribute: Attribute, value: Any, traits: Traits) -> str | None:
    """What iTop's check finds wrong with a stored value, or None."""
    if not attribute.stored or attribute.type == "caselog":
        return None
    problem = None
    empty = value is None or value == "" or (attribute.type in ("extkey", "objectkey") and value == 0)
    if empty:
        if not attribute.null and attribute.type != "blob":
            problem = "Null not allowed"
    elif attribute.type == "enum":
        if attribute.values and value not in attribute.values:
            problem = f"Value not allowed [{value}]"
    elif attribute.type in ("string", "text", "html"):
        limit = STRING_LIMIT if attribute.type == "string" else TEXT_LIMIT
        length = len(value) if traits.counts_characters else len(value.encode())
        if length > limit:
            problem = f"String too long (found {length}, limited to {limit})"
    return None if problem is None else unexpected(attribute, problem, traits)


def unexpected(attribute: Attribute, problem: str, traits: Traits) -> str:
    """An issue with an attribute's value in iTop's words."""
    named = f"'{attribute.label}' ({attribute.code}) " if traits.shows_labels else f"'{attribute.code}'"
    return f"Unexpected value for attribute {named}: {problem}"


def database_issue(attribute: Attribute, value: Any) -> tuple[int, str] | None:
    """What the database refuses although it passes iTop's check: (error number, text), or None."""
    if isinstance(value, Document):
        for part, content in (("mimetype", value.mimetype), ("filename", value.filename)):
            if len(content) > STRING_LIMIT:
                return 1406, f"Data too long for column '{attribute.code}_{part}' at row 1"
    if attribute.type == "caselog" and isinstance(value, CaseLog) and value.is_too_long:
        return 1406, f"Data too long for column '{attribute.code}_index' at row 1"
    if attribute.type in ("text", "html") and value and len(value.encode()) > TEXT_LIMIT:
        return 1406, f"Data too long for column '{attribute.code}' at row 1"
    if attribute.type == "datetime" and value and not exists(value):
        return 1292, f"Incorrect datetime value: '{value}' for column `{attribute.code}` at row 1"
    return None
