"""The verbs of iTop's REST services: from a request's JSON to the response's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from itopsync.simulator.oql_query import compile_query, in_default_order
from itopsync.simulator.oql_syntax import LexerError, OqlError
from itopsync.simulator.reading import friendly_name, show
from itopsync.simulator.refusals import BareRefusal, Crash, Refusal
from itopsync.simulator.rights import AccessMode, Account, Action, is_allowed
from itopsync.simulator.session import Session
from itopsync.simulator.store import Row
from itopsync.simulator.values import is_numeric, make_value, matching, php_int, php_string, whole
from itopsync.simulator.writing import Writer

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
WRITES = frozenset({"core/create", "core/update", "core/apply_stimulus", "core/delete"})
OPERATIONS = {
    "core/create": "Create an object",
    "core/update": "Update an object",
    "core/apply_stimulus": "Apply a stimulus to change the state of an object",
    "core/get": "Search for objects",
    "core/delete": "Delete objects",
    "core/get_related": "Get related objects through the specified relation",
    "core/check_credentials": "Check user credentials",
}
#: The rights that each verb checks, in order, and their names in a refusal.
_NEEDS: dict[str, tuple[tuple[Action, str], ...]] = {
    "core/create": (("write", "creating"), ("bulk write", "massively creating")),
    "core/update": (("write", "modifying"),),
    "core/apply_stimulus": (("write", "modifying"), ("bulk write", "massively modifying")),
    "core/get": (("read", "reading"), ("bulk read", "exporting")),
    "core/delete": (("delete", "deleting"),),
}
#: Attribute codes to show, by class.
Shown = dict[str, list[str]]


@dataclass(slots=True)
class Call:
    """One authenticated request. ``accounts`` is used by ``core/check_credentials``."""

    session: Session
    writer: Writer
    mode: AccessMode
    version: str
    check_credentials: Callable[[str, str], Account | None]


def answer(call: Call, parameters: Any) -> dict[str, Any]:
    """The response to a request's decoded JSON. Raises :class:`~itopsync.simulator.refusals.Crash`."""
    try:
        return _dispatch(call, parameters if isinstance(parameters, dict) else {})
    except Refusal as refusal:
        return {"code": refusal.code, "message": f"Error: {refusal.message}"}
    except BareRefusal as refusal:
        return {"code": refusal.code, "message": refusal.message, "objects": None}


def decode(text: str) -> Any:
    """Decode a request's JSON. Raises :class:`Refusal` for what PHP considers empty."""
    try:
        decoded = json.loads(text)
    except ValueError:
        decoded = None
    if not decoded and not isinstance(decoded, dict):
        raise Refusal("Parameter json_data is not a valid JSON structure", 4)
    return decoded


def _dispatch(call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
    operation = _mandatory(parameters, "operation")
    if operation == "list_operations":
        listed = [
            {"verb": verb, "description": description, "extension": "CoreServices"} for verb, description in OPERATIONS.items()
        ]
        message = f"Operations: {len(listed)}"
        return {"code": 0, "message": message, "version": call.version, "operations": listed}
    if operation not in OPERATIONS:
        raise Refusal(f"Unknown verb '{php_string(operation)}' in version '{call.version}'", 11)
    if operation in WRITES:
        call.session.comment = php_string(_mandatory(parameters, "comment"))
    verbs = {
        "core/get": _get,
        "core/create": _create,
        "core/update": _update,
        "core/apply_stimulus": _apply_stimulus,
        "core/delete": _delete,
        "core/check_credentials": _check_credentials,
    }
    if operation not in verbs:
        raise Refusal("core/get_related is not simulated")
    return verbs[operation](call, parameters)


# -- verbs -----------------------------------------------------------------------------------------------------


def _get(call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
    class_name = _class(call, parameters)
    key = _mandatory(parameters, "key")
    shown = _fields_to_show(call, class_name, parameters)
    limit, page = php_int(parameters.get("limit") or 0), 1
    if parameters.get("page") is not None:
        page = php_int(parameters["page"])
    target_class, find = _objects(call, class_name, key)
    _require(call, "core/get", target_class, None)
    if page < 1:
        raise BareRefusal("The request page number is not valid. It must be an integer greater than 0", 13)
    _check_named(call, parameters, target_class)
    rows = find()
    offset = limit * max(0, page - 1)
    selected = rows[offset : offset + limit] if limit > 0 else rows
    return _objects_answer(call, selected, shown, "", f"Found: {len(rows)}")


def _create(call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
    class_name = _class(call, parameters)
    fields = _fields(parameters)
    shown = _fields_to_show(call, class_name, parameters)
    _require(call, "core/create", class_name, parameters)
    row = call.writer.create(class_name, fields)
    return _objects_answer(call, [row], shown, "created", None)


def _update(call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
    class_name = _class(call, parameters)
    key = _mandatory(parameters, "key")
    fields = _fields(parameters)
    shown = _fields_to_show(call, class_name, parameters)
    target_class, _ = _objects(call, class_name, key)
    _require(call, "core/update", target_class, parameters)
    row = call.writer.update(class_name, key, fields)
    return _objects_answer(call, [row], shown, "updated", None)


def _apply_stimulus(call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
    class_name = _class(call, parameters)
    key = _mandatory(parameters, "key")
    fields = _fields(parameters)
    shown = _fields_to_show(call, class_name, parameters)
    stimulus = php_string(_mandatory(parameters, "stimulus"))
    target_class, _ = _objects(call, class_name, key)
    _require(call, "core/apply_stimulus", target_class, parameters)
    row = call.writer.apply_stimulus(class_name, key, stimulus, fields)
    return _objects_answer(call, [row], shown, "updated", None)


def _delete(call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
    class_name = _class(call, parameters)
    key = _mandatory(parameters, "key")
    target_class, find = _objects(call, class_name, key)
    _require(call, "core/delete", target_class, parameters)
    rows = find()
    if parameters.get("simulate"):
        lines, prefix = call.writer.plan_deletion(rows), "SIMULATING: "
    else:
        lines, prefix = call.writer.delete(rows), ""
    objects = {
        _object_key(line.row): {
            "code": line.code,
            "message": line.message,
            "class": line.row["finalclass"],
            "key": str(line.row["id"]),
            "fields": {"id": str(line.row["id"]), "friendlyname": friendly_name(line.row, call.session.store)},
        }
        for line in lines
    }
    message = f"{prefix}Deleted: {len(rows)}"
    if len(lines) > len(rows):
        message += f" plus (for DB integrity) {len(lines) - len(rows)}"
    return {"code": 0, "message": message, "objects": objects or None}


def _check_credentials(call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
    login, password = (php_string(_mandatory(parameters, name)) for name in ("user", "password"))
    return {"code": 0, "message": None, "authorized": call.check_credentials(login, password) is not None}


# -- parameters ------------------------------------------------------------------------------------------------


def _mandatory(parameters: Mapping[str, Any], name: str) -> Any:
    value = parameters.get(name)
    if value is None:
        raise Refusal(f"Missing parameter '{name}'")
    return value


def _class(call: Call, parameters: Mapping[str, Any]) -> str:
    name = php_string(_mandatory(parameters, "class"))
    if name not in call.session.schema:
        raise Refusal(f"class: '{name}' is not a valid class'")
    return name


def _fields(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = _mandatory(parameters, "fields")
    return fields if isinstance(fields, dict) else {}


def _fields_to_show(call: Call, class_name: str, parameters: Mapping[str, Any]) -> tuple[Shown, bool]:
    """The attributes to return, by class, and whether link sets are shown in full."""
    schema = call.session.schema
    wanted = parameters.get("output_fields")
    text = "*" if wanted is None else php_string(wanted)
    if text == "*":
        return {class_name: list(schema[class_name].attributes)}, False
    if text == "*+":
        return {name: list(schema[name].attributes) for name in schema[class_name].family}, True
    codes = [code.strip() for code in text.split(",")]
    for code in codes:
        if code != "id" and code not in schema[class_name].attributes:
            raise Refusal(f"output_fields: invalid attribute code '{code}'")
    return {class_name: codes}, False


def _check_named(call: Call, parameters: Mapping[str, Any], target_class: str) -> None:
    """Check that the class that a query searches has the fields too, if it is not the one that names them."""
    if not call.session.schema.traits.checks_shown:
        return
    codes = [code.strip() for code in php_string(parameters.get("output_fields", "*")).split(",")]
    if "id" in codes:
        codes.remove("id")  # only the first: a second one is not found
    for code in codes:
        if code not in ("*", "*+") and code not in call.session.schema[target_class].attributes:
            raise Refusal(f"Unknown attribute {code} from class {target_class}")


def _objects(call: Call, class_name: str, key: Any) -> tuple[str, Callable[[], list[Row]]]:
    """The class that a key asks for, and a function that finds its objects; rights are checked in between."""
    session = call.session
    if isinstance(key, dict):
        if key.get("finalclass") is not None:
            class_name = php_string(key["finalclass"])
            if class_name not in session.schema:
                raise Refusal(f"finalclass: Unknown class '{class_name}'")
        itop_class = session.schema[class_name]
        conditions = [(code, make_value(itop_class, code, given, session)) for code, given in key.items()]
        return class_name, lambda: in_default_order(matching(class_name, conditions, session), itop_class, session.store)
    if is_numeric(key):
        row = session.see(class_name, whole(key))
        return class_name, lambda: [] if row is None else [row]
    if isinstance(key, str):
        if not key:
            raise Crash  # an empty query is a TypeError in PHP 8
        try:
            query = compile_query(key, session.schema)
            return query.class_name, lambda: query.run(session.context())
        except (LexerError, OqlError) as error:
            if not session.schema.traits.wraps_query_errors:
                raise Refusal(str(error)) from None
            about = f"query = {key}, exception_class = {error.kind}, exception_message = {error}"
            raise Refusal(f"Query failed to execute: {about}") from None
    raise Refusal("Wrong format for key")


def _require(call: Call, verb: str, class_name: str, write: Mapping[str, Any] | None) -> None:
    session = call.session
    for action, doing in _NEEDS[verb]:
        if is_allowed(session.account, class_name, action, call.mode, session.schema):
            continue
        message = f"The current user does not have enough permissions for {doing} data of class {class_name}"
        if write is not None:
            stimulus = php_string(write.get("stimulus"))
            key = write.get("key")
            call.writer.record(
                verb.partition("/")[2],
                class_name,
                key if isinstance(key, int) else 0,
                write["fields"] if isinstance(write.get("fields"), dict) else {},
                stimulus=stimulus,
                outcome=message,
            )
        raise BareRefusal(message, 1)


# -- answers ---------------------------------------------------------------------------------------------------


def _object_key(row: Row) -> str:
    return f"{row['finalclass']}::{row['id']}"


def _objects_answer(call: Call, rows: list[Row], shown: tuple[Shown, bool], message: str, summary: str | None) -> dict[str, Any]:
    schema, around = call.session.schema, call.session.around
    by_class, extended = shown
    from_memory = bool(message) and not schema.traits.rereads_written
    plans: dict[str, list[tuple[str, Any]]] = {}
    objects: dict[str, Any] = {}
    for row in rows:
        class_name = row["finalclass"]
        itop_class = schema[class_name]
        plan = plans.get(class_name)
        if plan is None:
            # The closest listed ancestor; an object of another family is shown only by name.
            codes = next((by_class[name] for name in itop_class.lineage if name in by_class), ["id", "friendlyname"])
            plan = plans[class_name] = [(code, itop_class.attributes.get(code)) for code in codes]
        fields: dict[str, Any] = {}
        for code, attribute in plan:
            if attribute is None:
                fields[code] = str(row["id"])
            elif from_memory and attribute.key and attribute.type in ("recall", "friendlyname") and not row.get(attribute.key):
                new = attribute.type == "recall" and message == "created"
                fields[code] = itop_class.attributes[attribute.key].target if new else ""
            else:
                fields[code] = show(row, attribute, around, extended)
        objects[f"{class_name}::{row['id']}"] = {
            "code": 0, "message": message, "class": class_name, "key": str(row["id"]), "fields": fields,
        }  # fmt: skip
    return {"code": 0, "message": summary, "objects": objects or None}
