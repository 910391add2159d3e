"""Reads a batch of links from both servers: one query for each class and side, and one for its attachments."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from itopsync.errors import Refused
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import File, Link, Ref, Side, Ticket
from itopsync.reconcile.rules import ClassRules, FieldRule, Rules
from itopsync.verify.words import Text, folded

Fingerprint = Callable[[FieldRule, str], str]
"""Gives the fingerprint under which the store knows an attribute's value."""


@dataclass(frozen=True)
class Shown:
    """Some tickets as the two servers show them."""

    tickets: Mapping[Ref, Ticket]
    unreadable: Mapping[Ref, str]
    """Ticket that exists but that its server fails to show → why."""


def read(links: Sequence[Link], servers: Mapping[Side, Server], rules: Rules) -> Shown:
    """Read both tickets of each link, with their logs and the list of their attachments.

    :raises SideUnavailable: a server cannot be asked
    """
    tickets: dict[Ref, Ticket] = {}
    unreadable: dict[Ref, str] = {}
    for side in Side:
        wanted: dict[tuple[str, str], list[int]] = {}
        for link in links:
            if (ref := link.ref(side)) is not None:
                wanted.setdefault((link.external.cls, ref.cls), []).append(ref.id)
        for (external, name), ids in wanted.items():
            cls = rules.for_external(external)
            asked = Attributes(fields=cls.attributes(side), logs=tuple(log.of(side) for log in cls.logs))
            found, failed = servers[side].readable_tickets(name, ids, asked)
            files, hidden = servers[side].attachments_of(name, ids)
            tickets |= {ticket.ref: replace(ticket, attachments=files.get(number, ())) for number, ticket in found.items()}
            unreadable |= {Ref(side, name, number): str(why) for number, why in (failed | hidden).items()}
    return Shown(tickets, unreadable)


@dataclass(frozen=True)
class Print:
    """What identical files have in common."""

    name: str
    size: int
    digest: str

    @classmethod
    def of(cls, file: File) -> Print:
        """The print of *file*."""
        return cls(file.name, len(file.data), hashlib.sha256(file.data).hexdigest())

    def is_that_of(self, copy: Print) -> bool:
        """Whether *copy* is the print of a copy: the same bytes, and an equivalent name, percent-encoded or not."""
        names, there = {folded(self.name), folded(unquote(self.name))}, folded(copy.name)
        return (self.size, self.digest) == (copy.size, copy.digest) and any(Text(name, name).is_said_by(there) for name in names)


class Library:
    """Reads attachments and pictures, and caches the print of each."""

    def __init__(self, servers: Mapping[Side, Server]) -> None:
        self._servers = servers
        self._prints: dict[tuple[Side, str, int], Print | None] = {}

    def text(self, side: Side, attachment_id: int) -> str | None:
        """The text in an attachment; None if it cannot be read."""
        named = self.named_text(side, attachment_id)
        return None if named is None else named[1]

    def named_text(self, side: Side, attachment_id: int) -> tuple[str, str] | None:
        """The name of an attachment, and the text in it; None if it cannot be read."""
        try:
            file = self._servers[side].attachment_file(attachment_id)
        except Refused:
            return None
        return file.name, file.data.decode(errors="replace")

    def attachment(self, side: Side, attachment_id: int) -> Print | None:
        """The print of an attachment; None if it cannot be read."""
        key = (side, "attachment", attachment_id)
        if key not in self._prints:
            self._prints[key] = self._print(side, attachment_id, None)
        return self._prints[key]

    def image(self, side: Side, image_id: int, secret: str) -> Print | None:
        """The print of a picture pasted into a text; None if it cannot be read."""
        key = (side, "image", image_id)
        if key not in self._prints:
            self._prints[key] = self._print(side, image_id, secret)
        return self._prints[key]

    def _print(self, side: Side, number: int, secret: str | None) -> Print | None:
        server = self._servers[side]
        try:
            return Print.of(server.attachment_file(number) if secret is None else server.image(number, secret))
        except Refused:
            return None


@dataclass(frozen=True)
class Case:
    """The context in which two tickets are compared."""

    rules: Rules
    cls: ClassRules
    library: Library
    fingerprint: Fingerprint
    kept: Collection[str]
    """Items that stay as somebody edited them in internal, or as a one-way rule leaves them."""
