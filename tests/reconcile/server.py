"""A model of one iTop server, with its habits: what is written is not what is read.

It knows nothing of the planner. HTML is sanitised, the addresses of pictures are written anew on reading, log dates are shown
in the server's timezone of the moment, a parent's entries are copied into its children, a log can be full, a stimulus refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from selectolax.lexbor import LexborHTMLParser

from itopsync.errors import LogFull, Missing, Refused, StimulusRefused
from itopsync.model import Attachment, Entry, NewEntry, Ref, Side, Ticket
from itopsync.reconcile.rules import Kind, Lifecycle

ENTRY_BYTES = 170
_KEPT_ATTRIBUTES = frozenset({"name", "href", "src", "alt", "width", "height"})
_OWN_IMAGE = re.compile(r"operation=download_inlineimage&id=(\d+)&s=(\w+)")


@dataclass(frozen=True)
class ClassModel:
    """What the server's data model says of one class."""

    lifecycle: Lifecycle
    kinds: Mapping[str, Kind]
    limits: Mapping[str, int]


@dataclass(frozen=True)
class Written:
    """One write, for tests to look at."""

    account: str
    ref: Ref
    state_before: str
    state: str
    fields: frozenset[str]


@dataclass(frozen=True)
class Stored:
    """One entry of a log."""

    entry: Entry
    copied: bool = False
    """Whether iTop copied it from the parent's log."""


@dataclass
class Row:
    """One ticket as it is stored."""

    ref: Ref
    number: str
    state: str
    fields: dict[str, str]
    logs: dict[str, list[Stored]]
    attachments: dict[int, tuple[Attachment, str, bytes]] = field(default_factory=dict)
    """Id → the attachment, its name and its contents."""
    writers: dict[str, str] = field(default_factory=dict)
    """Attribute → the account that wrote it last."""
    parent: Ref | None = None
    version: int = 0


class Server:
    """One iTop."""

    def __init__(
        self,
        side: Side,
        addresses: Sequence[str],
        classes: Mapping[str, ClassModel],
        people: Mapping[str, str],
        clock: Callable[[], datetime],
    ) -> None:
        """*addresses*: the server is reached under each of them; *people*: account → name."""
        self.side, self.addresses, self.classes, self.people, self.clock = side, addresses, classes, people, clock
        self.rows: dict[Ref, Row] = {}
        self.images: dict[tuple[int, str], bytes] = {}
        self.audit: list[Written] = []
        self.drift = timedelta()
        """How much the timezone of the moment differs from the one before."""
        self.shown_under = addresses[-1]
        """The address under which pictures are shown."""
        self.seconds = side is Side.EXTERNAL
        """Whether the format of dates has seconds."""
        self.log_bytes = 65_535
        self._last = {"ticket": 0, "attachment": 100 if side is Side.EXTERNAL else 500, "image": 0}

    # writing

    def create(self, cls: str, fields: Mapping[str, object], logs: Mapping[str, Sequence[NewEntry]], account: str) -> Ref:
        """Make a ticket with a whole history, dates kept."""
        model = self.classes[cls]
        ref = Ref(self.side, cls, self._last["ticket"] + 1)
        row = Row(ref, f"{'R' if self.side is Side.EXTERNAL else 'I'}-{ref.id:06}", model.lifecycle.initial, {}, {})
        row.fields["creation_date" if cls.endswith("Change") else "start_date"] = self._minute()
        self._set(row, fields, account)
        for log, entries in logs.items():
            self._check_room(row, log, len(entries))
            row.logs[log] = [self._stored_entry(account, entry) for entry in entries]
        self._last["ticket"] += 1
        self.rows[ref] = row
        self.audit.append(Written(account, ref, "", row.state, frozenset(fields)))
        return ref

    def update(
        self,
        ref: Ref,
        fields: Mapping[str, object],
        entries: Mapping[str, NewEntry],
        account: str,
        stimulus: str | None = None,
    ) -> None:
        """Change a ticket in one call, or refuse and change nothing."""
        row = self._row(ref)
        before = row.state
        after = before if stimulus is None else self._next(row, stimulus, fields)
        for log in entries:
            self._check_room(row, log, 1)
        self._set(row, fields, account)
        row.state = after
        for log, new in entries.items():
            stored = self._stored_entry(account, new)
            row.logs.setdefault(log, []).append(stored)
            self._copy_to_children(ref, log, stored)
        row.version += 1
        self.audit.append(Written(account, ref, before, after, frozenset(fields)))

    def attach(self, ref: Ref, name: str, data: bytes, temp_id: str = "") -> int:
        """Attach a file and return its id."""
        self._last["attachment"] += 1
        number = self._last["attachment"]
        self._row(ref).attachments[number] = (Attachment(number, temp_id, ref.cls, ref.id), name, data)
        return number

    def detach(self, number: int) -> None:
        """Delete an attachment; what is already gone is no error."""
        for row in self.rows.values():
            row.attachments.pop(number, None)

    def paste(self, data: bytes) -> str:
        """Store a picture as the editor does, and return how it stands in a text."""
        self._last["image"] += 1
        number = self._last["image"]
        self.images[number, f"s{number}"] = data
        src = f"{self.addresses[0]}/pages/ajax.document.php?operation=download_inlineimage&amp;id={number}&amp;s=s{number}"
        return f'<img src="{src}">'

    def wipe(self, ref: Ref, log: str) -> None:
        """Lose the last entry of a log, as under a save by somebody who had read the ticket before it came."""
        del self._row(ref).logs[log][-1]

    # reading

    def show(self, ref: Ref) -> Ticket | None:
        """What the server shows of a ticket."""
        row = self.rows.get(ref)
        if row is None:
            return None
        logs = {
            log: tuple(
                replace(stored.entry, at=stored.entry.at + self.drift, html=self._shown(stored.entry.html)) for stored in entries
            )
            for log, entries in row.logs.items()
        }
        kinds = self.classes[ref.cls].kinds
        fields = {
            name: self._date(value) if kinds.get(name) is Kind.DATE else self._shown(value) for name, value in row.fields.items()
        }
        attachments = tuple(attachment for attachment, _, _ in row.attachments.values())
        return Ticket(ref, row.number, str(row.version), row.state, MappingProxyType(fields), MappingProxyType(logs), attachments)

    def attachment(self, number: int) -> tuple[str, bytes]:
        """Name and contents of an attachment."""
        for row in self.rows.values():
            if number in row.attachments:
                return row.attachments[number][1:]
        raise Missing(self.side, f"there is no attachment {number}")

    def image(self, number: int, secret: str) -> bytes:
        """The contents of a pasted picture."""
        return self.images[number, secret]

    # habits

    def sanitise(self, fragment: str) -> str:
        """What iTop keeps of a fragment of HTML."""
        if "<" not in fragment:
            return fragment
        body = LexborHTMLParser(re.sub(r"<!--.*?-->", "", fragment, flags=re.DOTALL)).body
        if body is None:
            return ""
        for node in body.css("script"):
            node.decompose()
        for node in body.css("*"):
            for name in list(node.attributes):
                if name not in _KEPT_ATTRIBUTES:
                    del node.attrs[name]
            src, href = node.attributes.get("src") or "", node.attributes.get("href") or ""
            if src and not src.startswith(("http://", "https://", "data:")):
                del node.attrs["src"]
            if href.startswith("javascript:"):
                del node.attrs["href"]
            own = _OWN_IMAGE.search(src) if src.startswith(tuple(self.addresses)) else None
            if own is not None:
                node.attrs["data-img-id"], node.attrs["data-img-secret"] = own[1], own[2]
        return re.sub(r"(</p>|<br>)\s*", r"\1\n", body.inner_html or "").rstrip("\n")

    def _shown(self, stored: str) -> str:
        for address in self.addresses:
            stored = stored.replace(f'src="{address}/', f'src="{self.shown_under}/')
        return stored

    def _date(self, stored: str) -> str:
        if not stored or self.seconds:
            return stored
        return datetime.fromisoformat(stored).replace(second=0).isoformat()

    def _stored_entry(self, account: str, new: NewEntry) -> Stored:
        return Stored(Entry(account, self.people[account], new.at, self.sanitise(new.html)))

    def _copy_to_children(self, parent: Ref, log: str, stored: Stored) -> None:
        for row in self.rows.values():
            if row.parent == parent:
                row.logs.setdefault(log, []).append(Stored(replace(stored.entry, at=self.clock()), copied=True))
                row.version += 1

    def _set(self, row: Row, fields: Mapping[str, object], account: str) -> None:
        model = self.classes[row.ref.cls]
        stored = {name: self._stored(model, name, value) for name, value in fields.items()}
        for name, value in stored.items():
            row.fields[name] = value
            row.writers[name] = account

    def _stored(self, model: ClassModel, name: str, value: object) -> str:
        if not isinstance(value, str):
            return str(value) if isinstance(value, int) else "3"  # a criterion finds one
        text = self.sanitise(value) if model.kinds.get(name) is Kind.HTML else value.rstrip()
        limit = model.limits.get(name)
        if limit is not None and (len(text) if limit < 1_000 else len(text.encode())) > limit:
            raise Refused(self.side, f"Error: The value for {name} is too long")
        return text

    def _next(self, row: Row, stimulus: str, fields: Mapping[str, object]) -> str:
        lifecycle = self.classes[row.ref.cls].lifecycle
        if (row.state, stimulus) in lifecycle.broken:
            raise Refused(self.side, "Error: Call to undefined method SetAssignedDate()")
        to = lifecycle.transitions[row.state].get(stimulus)
        if to is None:
            raise StimulusRefused(self.side, f"Error: Invalid stimulus: '{stimulus}' in state '{row.state}'")
        demanded = {name for name in lifecycle.mandatory[to] if not name.endswith("_id")}
        missing = {name for name in demanded if not (fields.get(name) or row.fields.get(name))}
        if missing:
            raise StimulusRefused(self.side, f"Error: Missing mandatory attribute(s): {', '.join(sorted(missing))}")
        return to

    def _check_room(self, row: Row, log: str, entries: int) -> None:
        if (len(row.logs.get(log, ())) + entries) * ENTRY_BYTES > self.log_bytes:
            raise LogFull(self.side, f"Error: Data too long for column '{log}_index'")

    def _row(self, ref: Ref) -> Row:
        if ref not in self.rows:
            raise Missing(self.side, f"{ref} is not there")
        return self.rows[ref]

    def _minute(self) -> str:
        return self.clock().replace(second=0, microsecond=0).isoformat()
