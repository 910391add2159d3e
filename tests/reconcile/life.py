"""A service desk's life on two model servers: what people do, and a ledger of it that the planner never sees."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from itopsync.config.catalogue import classes
from itopsync.model import FileStatus, Link, NewEntry, Ref, Side
from itopsync.reconcile.rules import Rules
from tests.reconcile.courier import Courier
from tests.reconcile.making import CUSTOMER, NOW, OPERATOR, PERSON, PRIVATE_LOG, US, default_rules
from tests.reconcile.server import ClassModel, Row, Server

_NAMES = {CUSTOMER: "Carla Customer", OPERATOR: "Otto Operator"}
TIMERS = frozenset({"ev_timeout", "ev_autoresolve"})


@dataclass(frozen=True)
class Said:
    """One note of a person's."""

    origin: Ref
    word: str
    """Stands in this note and in no other, but for parents' entries that iTop copies."""
    secret: bool
    picture: bytes | None = None


@dataclass
class Filed:
    """One file of a person's."""

    origin: Ref
    id: int
    data: bytes
    gone: bool = False
    copy_gone: bool = False


@dataclass
class Life:
    """Two servers, a courier between them, and people."""

    rules: Rules = field(default_factory=default_rules)
    now: datetime = NOW
    said: list[Said] = field(default_factory=list)
    filed: list[Filed] = field(default_factory=list)
    moved: dict[Ref, set[str]] = field(default_factory=dict)
    """Ticket → the states that people or timers brought it to since the last cycle in which all went well."""
    at_stake: dict[Ref, set[str]] = field(default_factory=dict)
    """The same as the last :meth:`settles` found it, but for those that moved and came back."""
    decided: dict[Ref, set[str]] = field(default_factory=dict)
    """Ticket → all the states that people ever brought it to."""
    forms: dict[Ref, list[dict[str, str]]] = field(default_factory=dict)
    """External ticket → its fields at every look that was taken, from when the sides last agreed."""
    kept: dict[tuple[Ref, str], list[str]] = field(default_factory=dict)
    """Internal ticket and attribute → what external had said there when an operator wrote it."""
    secrets: list[str] = field(default_factory=list)
    """Words that external must never see."""
    troubled: bool = False
    """Whether anything went wrong since the sides last agreed."""
    ever_troubled: bool = False
    _rested: dict[Ref, str] = field(default_factory=dict)
    """Ticket → its state after the last cycle in which all went well."""
    _count: int = 0

    def __post_init__(self) -> None:
        self.servers = {side: self._server(side) for side in Side}
        self.courier = Courier(self.rules, self.servers, lambda: self.now)

    def _server(self, side: Side) -> Server:
        models = {
            cls.of(side): ClassModel(
                cls.state.of(side),
                {name: known.kind for name, known in classes()[cls.of(side)].attributes.items()},
                {name: known.limit for name, known in classes()[cls.of(side)].attributes.items() if known.limit},
            )
            for cls in self.rules.classes
        }
        settings = self.rules.of(side)
        people = {US[side]: "Sync Bridge", **_NAMES}
        return Server(side, (settings.url, settings.public_url), models, people, lambda: self.now)

    # tickets

    def opens(self, side: Side, cls: str, *, log: tuple[str, ...] = ()) -> Ref:
        """Somebody opens a ticket. An internal one is the operators' own business."""
        self.passes(minutes=1)
        title, description = self.word(), self.word()
        fields = {"title": f"Title {title}", "description": f"<p>It says <b>{description}</b>.</p>", "org_id": 1, "caller_id": 7}
        ref = self.servers[side].create(cls, fields, {}, PERSON[side])
        if side is Side.INTERNAL:
            self.secrets += [title, description]
        else:
            self.courier.take_up(ref)
        for text in log:
            self.says(ref, text)
        return ref

    def row(self, ref: Ref) -> Row:
        return self.servers[ref.side].rows[ref]

    def link(self, ref: Ref) -> Link | None:
        """The link of a ticket on either side, once its copy is known."""
        links = self.courier.links.values()
        return next((link for link in links if ref in (link.external, link.internal) and link.internal is not None), None)

    def copy(self, ref: Ref) -> Ref:
        """The counterpart of a linked ticket."""
        link = self.link(ref)
        assert link is not None
        assert link.internal is not None
        return link.internal if ref.side is Side.EXTERNAL else link.external

    def is_copy(self, ref: Ref) -> bool:
        """Whether we made a ticket, whether we know of it or not."""
        log = self.row(ref).logs.get(PRIVATE_LOG, [])
        return any("itopsync-acme-t-" in stored.entry.html and not stored.copied for stored in log)

    # notes

    def says(
        self, ref: Ref, text: str = "<p>{word}</p>", log: str = PRIVATE_LOG, picture: bytes | None = None, *, kept: bool = False
    ) -> Said:
        """Somebody writes a note; ``{word}`` is where its own word goes, ``{own}`` and ``{OWN}`` the address of the server.

        *kept*: it is to stay in internal, though one must look twice to see that.
        """
        self.passes(minutes=1)
        word = self.word()
        marked = text.casefold().removeprefix("<p>").startswith("#internal")
        secret = ref.side is Side.INTERNAL and (kept or marked or not (self.is_copy(ref) or self._has_children(ref)))
        if secret:
            self.secrets.append(word)
        said = Said(ref, word, secret, picture)
        self.said.append(said)
        own = self.servers[ref.side].addresses[-1]
        html = text.replace("{word}", word).replace("{own}", own).replace("{OWN}", own.upper())
        self.servers[ref.side].update(ref, {}, {log: NewEntry(self.now, html)}, PERSON[ref.side])
        return said

    def pastes(self, ref: Ref) -> Said:
        """Somebody pastes a picture into a note."""
        data = self._bytes()
        image = self.servers[ref.side].paste(data)
        return self.says(ref, f'<p>{{word}} look:</p><figure class="image">{image}</figure>', picture=data)

    def quotes(self, ref: Ref, log: str = PRIVATE_LOG) -> None:
        """Somebody answers by copying the last entry, markers, pictures and all, in front of their own words.

        Not on a parent: in its child that entry would be the first to bear the marker, and so be taken for ours.
        """
        if self._has_children(ref):
            return
        shown = self.servers[ref.side].show(ref)
        entries = shown.logs.get(log, ()) if shown else ()
        kept = entries and any(word in entries[-1].html for word in self.secrets)  # who begins with its mark keeps all of it
        if entries and not kept and (ref.side is Side.EXTERNAL or self.is_copy(ref)):
            quoted = re.sub(r"\bw(\d+)\b", r"quoted\1", entries[-1].html)
            self.says(ref, f"{_untagged(quoted)}<p>{{word}}</p>", log)

    def pastes_a_copy(self, ref: Ref, other: Ref) -> None:
        """Somebody begins a note with an entry of another ticket, marker and all. Neither belongs to a family."""
        family = {row.parent for row in self.servers[ref.side].rows.values()} - {None}
        if ref == other or {ref, other} & family or self.row(ref).parent or self.row(other).parent or not self.link(ref):
            return
        shown = self.servers[ref.side].show(other)
        copied = [entry.html for entry in (shown.logs.get(PRIVATE_LOG, ()) if shown else ()) if "itopsync-acme-" in entry.html]
        if copied:
            self.says(ref, _untagged(re.sub(r"\bw(\d+)\b", r"copied\1", copied[-1])) + "<p>{word}</p>")

    # files

    def attaches(self, ref: Ref) -> Filed:
        data = self._bytes()
        filed = Filed(ref, self.servers[ref.side].attach(ref, "file.txt", data), data)
        self.filed.append(filed)
        return filed

    def withdraws(self, filed: Filed) -> None:
        """Somebody deletes a file of their own."""
        self.servers[filed.origin.side].detach(filed.id)
        filed.gone = True

    def drops_copy(self, filed: Filed) -> None:
        """Somebody deletes the copy of a file, once it is known to be there."""
        link = self.link(filed.origin)
        for pair in link.files if link and not link.in_doubt else ():
            if (pair.origin, pair.original_id) == (filed.origin.side, filed.id) and pair.status is FileStatus.CARRIED:
                assert pair.copy_id is not None
                self.servers[filed.origin.side.other].detach(pair.copy_id)
                filed.copy_gone = True

    # form and state

    def edits(self, ref: Ref, name: str, value: str) -> None:
        """Somebody changes an attribute."""
        self.passes(minutes=1)
        self.servers[ref.side].update(ref, {name: value}, {}, PERSON[ref.side])
        if ref.side is Side.INTERNAL and (link := self.link(ref)):
            seen = self.forms.get(link.external, [])
            self.kept[ref, name] = [form.get(name, "") for form in seen]

    def ways(self, ref: Ref) -> list[str]:
        """The stimuli that can be sent to a ticket now, but for those that crash the server."""
        lifecycle = self.servers[ref.side].classes[ref.cls].lifecycle
        state = self.row(ref).state
        return sorted(name for name in lifecycle.transitions[state] if (state, name) not in lifecycle.broken)

    def moves(self, ref: Ref, stimulus: str, companions: Mapping[str, str] | None = None) -> None:
        """Somebody (or the server's timer) sends a stimulus, with whatever the next state demands."""
        self.passes(minutes=1)
        lifecycle = self.servers[ref.side].classes[ref.cls].lifecycle
        to = lifecycle.transitions[self.row(ref).state][stimulus]
        demanded = {name: self.answer(ref.cls, name) for name in sorted(lifecycle.mandatory[to]) if not name.endswith("_id")}
        given = {name: value for name, value in demanded.items() if not self.row(ref).fields.get(name)}
        self.servers[ref.side].update(ref, given | dict(companions or {}), {}, PERSON[ref.side], stimulus)
        if to not in lifecycle.timers:
            self.decided.setdefault(ref, set()).add(to)
        self.moved.setdefault(ref, set()).add(to)

    def answer(self, cls: str, name: str) -> str:
        """Something to write into an attribute."""
        attribute = classes()[cls].attributes[name]
        if attribute.values:
            self._count += 1
            return attribute.values[self._count % len(attribute.values)]
        match attribute.kind:
            case "date":
                return (self.now + timedelta(seconds=7)).isoformat()
            case "html":
                return f"<p>Thus: <i>{self.word()}</i></p>"
            case _:
                return f"Thus: {self.word()}"

    # time

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)

    def sync(self) -> None:
        """One cycle."""
        self.passes(minutes=1)
        for link in self.courier.links.values():
            self.forms.setdefault(link.external, []).append(dict(self.row(link.external).fields))
        if self.courier.wire.troubles:
            self.troubled = self.ever_troubled = True
        self.courier.cycle()
        if not self.troubled:
            self._note_states()

    def settles(self) -> None:
        """Time passes, and nothing goes wrong any more, until there is nothing left to do."""
        self.courier.wire.troubles.clear()
        self.at_stake = {ref: states for ref, states in self.moved.items() if self.row(ref).state != self._rested.get(ref, "new")}
        for _ in range(40):
            self.passes(hours=1)
            self.sync()
            if all(self._is_quiet(number) for number in self.courier.links):
                return
        raise AssertionError("it never comes to rest")

    def agreed(self) -> None:
        """Both sides agree: what was outstanding is forgotten."""
        self._note_states()
        self.troubled = False
        self.forms = {link.external: [dict(self.row(link.external).fields)] for link in self.courier.links.values()}

    def _note_states(self) -> None:
        self.moved.clear()
        self._rested = {ref: row.state for server in self.servers.values() for ref, row in server.rows.items()}

    def _is_quiet(self, number: int) -> bool:
        link = self.courier.links[number]
        waits = any(not obstacle.parked for obstacle in link.obstacles)
        return not link.in_doubt and not waits and not self.courier.plan(number).actions

    def word(self) -> str:
        """A word that was never said before."""
        self._count += 1
        return f"w{self._count}"

    def _has_children(self, ref: Ref) -> bool:
        return any(row.parent == ref for row in self.servers[ref.side].rows.values())

    def _bytes(self) -> bytes:
        return self.word().encode()


def _untagged(text: str) -> str:
    """*text* without the tag that keeps a note in, which counts behind the header line of a copy, too."""
    return re.sub("#internal", "(internal)", text, flags=re.IGNORECASE)
