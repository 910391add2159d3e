"""What the account may do.

Rights to write are tested by requests that iTop 3.2.0 refuses after checking the rights and before writing anything
(``core/restservices.class.inc.php``): a create with an attribute that does not exist, and a simulated delete of nothing. A create
requires the rights to modify and to bulk-modify; an update requires the first, a stimulus both. The REST services ignore the
rights that profiles have on single stimuli.
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
"""For each class, one of the profiles shipped with iTop 3.2.0 that may write it."""


def check_reading(server: Server) -> Iterator[Finding]:
    """Read attachments, which every cycle reads besides tickets."""
    yield ok(server.side, f"the account may read attachments, and sees {server.count_attachments('id > 0')}")


def check_writing(server: Server, rules: Rules) -> Iterator[Finding]:
    """Test each right to write that the rules need on this side."""
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
    """A right to write, and whether the server grants it."""

    what: str
    cls: str
    answer: bool | None
    """None if there is no such class, which ``check_class`` reports."""

    @property
    def is_there(self) -> bool:
        return self.answer is not None

    @property
    def is_given(self) -> bool:
        return self.answer is True


def _wanted(server: Server, rules: Rules) -> Iterator[_Right]:
    """Test every right to write that the rules need on the server's side."""
    side = server.side
    creates = side is Side.INTERNAL and rules.new_tickets
    for name in dict.fromkeys(cls.of(side) for cls in rules.classes if creates or _is_written(cls, side)):
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
    """Join ``change A``, ``change B`` as ``change A, B``."""
    by_verb: dict[str, list[str]] = {}
    for thing in things:
        verb, _, what = thing.rpartition(" ")
        by_verb.setdefault(verb, []).append(what)
    return "; ".join(f"{verb} {', '.join(whats)}" for verb, whats in by_verb.items())
