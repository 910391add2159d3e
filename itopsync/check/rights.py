"""What the account may do.

Rights to write are asked for by requests that iTop 3.2.0 refuses after it has looked at the rights and before it writes anything
(``core/restservices.class.inc.php``): a create with an attribute that does not exist, and a simulated delete of nothing. A create
needs the rights to modify and to modify in bulk; an update needs the first, a stimulus both. The rights that profiles have on
single stimuli are not looked at by the REST services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from itopsync.check.finding import Finding, fault, ok
from itopsync.errors import BadQuery
from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile.rules import ClassRules, Deletion, Direction, Rules

_FILES = "Attachment"
_PROFILES = {
    "UserRequest": "Support Agent",
    "Incident": "Support Agent",
    "Problem": "Problem Manager",
    "Change": "Change Implementor",
    "NormalChange": "Change Implementor",
    "RoutineChange": "Change Implementor",
    "EmergencyChange": "Change Implementor",
    _FILES: "Support Agent",
}
"""One of iTop's own profiles that may write each class, as 3.2.0 ships them."""


def check_reading(server: Server) -> Iterator[Finding]:
    """What else than tickets is read in every cycle."""
    yield ok(server.side, f"the account may read attachments, and sees {server.count_attachments('id > 0')}")


def check_writing(server: Server, rules: Rules) -> Iterator[Finding]:
    """Ask for each right to write that the rules need on this side."""
    side = server.side
    rights = [right for right in _wanted(server, rules) if right.is_there]
    refused = [right for right in rights if not right.is_given]
    given = [right.what for right in rights if right.is_given]
    if len(refused) > 1 and not given:
        yield fault(
            side,
            f"the account may not {_listed([right.what for right in refused])}: it has no profile that may, "
            "or iTop is in read-only mode",
            "Give it profiles such as Support Agent, or end the read-only mode.",
        )
        return
    for right in refused:
        such = f", such as {_PROFILES[right.cls]}" if right.cls in _PROFILES else ""
        yield fault(side, f"the account may not {right.what}", f"Give it a profile that may{such}.")
    if given:
        yield ok(side, f"the account may {_listed(given)}")


@dataclass(frozen=True)
class _Right:
    """A right to write, as the server answered for it."""

    what: str
    cls: str
    answer: bool | None
    """None: there is no such class, which the check of the class says."""

    @property
    def is_there(self) -> bool:
        return self.answer is not None

    @property
    def is_given(self) -> bool:
        return self.answer is True


def _wanted(server: Server, rules: Rules) -> Iterator[_Right]:
    """Every right to write that the rules need on the server's side, asked for."""
    side = server.side
    creates = side is Side.INTERNAL and rules.new_tickets
    for name in dict.fromkeys(cls.cls(side) for cls in rules.classes if creates or _is_written(cls, side)):
        yield _Right(f"{'create and change' if creates else 'change'} {name}", name, _asked(server.may_create, name))
    if rules.images or rules.attachments.allows(side.other):
        yield _Right("add attachments", _FILES, _asked(server.may_create, _FILES))
    if rules.deletion is not Deletion.NEVER and rules.attachments is not Direction.NEVER:
        yield _Right("delete attachments", _FILES, _asked(server.may_delete, _FILES))


def _is_written(cls: ClassRules, side: Side) -> bool:
    """Whether anything of a linked ticket can be written on *side*."""
    fields, logs = (rule.direction for rule in cls.fields), (log.direction for log in cls.logs)
    return any(direction.allows(side.other) for direction in (*fields, *logs, cls.state.direction))


def _asked(may: Callable[[str], bool], cls: str) -> bool | None:
    try:
        return may(cls)
    except BadQuery:
        return None


def _listed(things: Sequence[str]) -> str:
    """Return ``change A, change B`` as ``change A, B``."""
    by_verb: dict[str, list[str]] = {}
    for thing in things:
        verb, _, what = thing.rpartition(" ")
        by_verb.setdefault(verb, []).append(what)
    return "; ".join(f"{verb} {', '.join(whats)}" for verb, whats in by_verb.items())
