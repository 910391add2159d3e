"""What both servers show of a batch of links: a query for each class and side, and one for its attachments."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from itopsync.errors import Refused
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import File, Link, Ref, Side, Ticket
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.verify.words import Text, folded


@dataclass(frozen=True)
class Shown:
    """What the two servers show of some tickets."""

    tickets: Mapping[Ref, Ticket]
    unreadable: Mapping[Ref, str]
    """Tickets that are there, but that their server fails to show, and why."""


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
            asked = Attributes(fields=cls.attributes(side), logs=tuple(log.name(side) for log in cls.logs))
            found, failed = servers[side].readable_tickets(name, ids, asked)
            files, hidden = servers[side].attachments_of(name, ids)
            tickets |= {one.ref: replace(one, attachments=files.get(number, ())) for number, one in found.items()}
            unreadable |= {Ref(side, name, number): str(why) for number, why in (failed | hidden).items()}
    return Shown(tickets, unreadable)


@dataclass(frozen=True)
class Print:
    """What two files must have in common to be the same."""

    name: str
    size: int
    digest: str

    @classmethod
    def of(cls, file: File) -> Print:
        """The print of *file*."""
        return cls(file.name, len(file.data), hashlib.sha256(file.data).hexdigest())

    def is_that_of(self, copy: Print) -> bool:
        """Whether *copy* is a copy's: the same bytes, and a name that says the same."""
        names = folded(self.name), folded(copy.name)
        return (self.size, self.digest) == (copy.size, copy.digest) and Text(names[0], names[0]).is_said_by(names[1])


class Library:
    """The contents of attachments and pictures, each read once; of large ones only their print is kept."""

    def __init__(self, servers: Mapping[Side, Server]) -> None:
        self._servers = servers
        self._prints: dict[tuple[Side, str, int], Print | None] = {}

    def text(self, side: Side, attachment_id: int) -> str | None:
        """The text in an attachment; None where it cannot be read."""
        try:
            return self._servers[side].attachment_file(attachment_id).data.decode(errors="replace")
        except Refused:
            return None

    def attachment(self, side: Side, attachment_id: int) -> Print | None:
        """The print of an attachment; None where it cannot be read."""
        key = (side, "attachment", attachment_id)
        if key not in self._prints:
            self._prints[key] = self._print(side, attachment_id, None)
        return self._prints[key]

    def image(self, side: Side, image_id: int, secret: str) -> Print | None:
        """The print of a picture that was pasted into a text; None where it cannot be read."""
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
    """What is known when two tickets are compared, beside the tickets."""

    rules: Rules
    cls: ClassRules
    library: Library
    kept: Collection[str]
    """Items that are left as somebody edited them in internal, or by a one-way rule."""
