"""The values of a row's attributes, stored or computed by iTop, and how REST shows them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from itopsync.simulator.caselog import EMPTY, CaseLog
from itopsync.simulator.dates import shown
from itopsync.simulator.losing import Losses
from itopsync.simulator.schema import Attribute, Schema
from itopsync.simulator.store import Document, Row, Store

_REFERENCE = re.compile(r"\[\[(.+?):(.+?)(\|(.+?))?\]\]")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(slots=True)
class Surroundings:
    """What the display of a value depends on besides the row: the server's address, timezone and date format, and the loss of
    markers."""

    store: Store
    app_root: str
    timezone: ZoneInfo
    date_format: str
    losses: Losses

    @property
    def schema(self) -> Schema:
        return self.store.schema


def value(row: Row, attribute: Attribute, store: Store) -> Any:
    """The attribute's value as the database would return it: int, str, None, CaseLog or Document."""
    if attribute.stored:
        return row.get(attribute.code)
    match attribute.type:
        case "friendlyname" if not attribute.key:
            return friendly_name(row, store)
        case "extfield" | "friendlyname" | "recall":
            return _through_key(row, attribute, store)
        case "metaenum":
            meta = store.schema[row["finalclass"]].meta.get(attribute.code)
            return meta["values"].get(row.get(meta["from"]), meta["default"]) if meta else attribute.default
        case "finalclass":
            return row["finalclass"]
    # The rest are stopwatches: no time limit is ever exceeded here.
    return None if attribute.item.endswith("overrun") else 0


def _through_key(row: Row, attribute: Attribute, store: Store) -> Any:
    key_attribute = store.schema[row["finalclass"]].attributes[attribute.key]
    target_class = store.schema.get(key_attribute.target)
    key = value(row, key_attribute, store) or 0
    target = store.get(target_class.name, key) if target_class is not None and key else None
    if target is None and attribute.type == "friendlyname" and target_class is not None:
        return " " * (len(target_class.naming) - 1)  # a person's is made of two names
    if target is None:
        return ""
    if attribute.type == "recall":
        return target["finalclass"]
    if attribute.type == "friendlyname":
        return friendly_name(target, store)
    shown_attribute = store.schema[target["finalclass"]].attributes.get(attribute.field)
    return value(target, shown_attribute, store) if shown_attribute is not None else ""


def friendly_name(row: Row, store: Store) -> str:
    """The name by which iTop lists an object, and sorts most classes."""
    itop_class = store.schema[row["finalclass"]]
    naming = itop_class.naming
    if len(naming) == 1:
        return str(row.get(naming[0], ""))
    parts = [str(value(row, itop_class.attributes[code], store) or "") for code in naming]
    return (" / " if itop_class.name.startswith("lnk") else " ").join(parts)


def show(row: Row, attribute: Attribute, around: Surroundings, extended: bool) -> Any:
    """The attribute as REST returns it: text for nearly everything, a structure for logs, files and link sets."""
    kind = attribute.type
    if kind == "linkset":
        return _show_links(row, attribute, around, extended)
    if kind == "caselog":
        log = row.get(attribute.code) or EMPTY
        return around.losses.log_out(log.show(around.app_root, around.timezone, around.schema.traits), row["finalclass"])
    raw = value(row, attribute, around.store)
    if kind in ("string", "text", "html", "extkey", "extfield", "friendlyname"):
        return _show_text("" if raw is None else str(raw), row, attribute, around)
    return _show_special(raw, attribute, around)


def _show_text(text: str, row: Row, attribute: Attribute, around: Surroundings) -> str:
    """A text as returned, possibly without its markers."""
    class_name, losses = row["finalclass"], around.losses
    if attribute.type == "html":
        shown = losses.way_out(text, "texts", class_name)
        return shown.replace("&", "&amp;") if around.schema.traits.doubles_ampersands else shown
    if attribute.type == "text" and "[[" in text:
        return _REFERENCE.sub(lambda found: _show_reference(found, around.schema), text)
    if (class_name, attribute.code) == ("Attachment", "temp_id") and losses.loses("out", "files", row["item_class"]):
        return ""
    return text


def _show_reference(found: re.Match[str], schema: Schema) -> str:
    """A reference to an object in plain text, with the class's label, which is its name split into words."""
    class_name, name, label = found[1].strip(), found[2].strip(), (found[4] or "").strip()
    if class_name not in schema:
        return found[0]
    words = _WORDS.sub(" ", class_name)
    return f"[[{words}:{name} | {label}]]" if label else f"[[{words}:{name}]]"


def _show_special(raw: Any, attribute: Attribute, around: Surroundings) -> Any:
    match attribute.type:
        case "datetime":
            return shown(raw, around.date_format) if raw else ""
        case "blob":
            return _show_document(raw, around.schema.traits.counts_downloads)
        case "obsolescence":
            return "" if attribute.key else False
        case "enum" | "stopwatch":
            return raw
        case "subitem":
            return {"passed": "no", "overrun": None}.get(attribute.item.rpartition("_")[2], "")
    return "" if raw is None else str(raw)


def _show_document(document: Document | None, counts_downloads: bool) -> dict[str, Any]:
    if document is None:
        document = Document(b"", "", "")
    shown = {
        "data": base64.b64encode(document.data).decode(),
        "mimetype": document.mimetype,
        "filename": document.filename,
    }
    return {**shown, "downloads_count": 0} if counts_downloads else shown


def _show_links(row: Row, attribute: Attribute, around: Surroundings, extended: bool) -> list[dict[str, Any]]:
    """The objects that point to ``row``, without attributes that repeat the row itself."""
    store = around.store
    if attribute.linked not in store.schema or not attribute.mine:
        return []
    linked = store.schema[attribute.linked]
    if attribute.mine not in linked.attributes:
        return []
    columns = (attribute.mine,)
    if columns in store.table(linked.name).indexes:
        found = store.find(linked.name, columns, (row["id"],))
    else:
        found = [other for other in store.rows(linked.name) if other.get(attribute.mine) == row["id"]]
    result = []
    for other in found:
        attributes = (store.schema[other["finalclass"]] if extended else linked).attributes
        result.append(
            {
                code: show(other, candidate, around, extended)
                for code, candidate in attributes.items()
                if attribute.mine not in (code, candidate.key) and candidate.type != "linkset"
            }
        )
    return result


def snapshot_of(row: Row, schema: Schema) -> dict[str, Any]:
    """A row for tests to examine: stored fields as they are, logs as tuples of entries."""
    result: dict[str, Any] = {"id": row["id"], "finalclass": row["finalclass"]}
    for code, attribute in schema[row["finalclass"]].attributes.items():
        if attribute.stored:
            content = row.get(code)
            result[code] = content.entries if isinstance(content, CaseLog) else content
    return result
