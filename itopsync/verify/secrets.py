"""Notes kept in internal: their words must appear nowhere on external."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from itopsync.model import ANY_TIME, Side, Ticket
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.verify.beginning import begins_with
from itopsync.verify.entries import Line, Logs, Writer
from itopsync.verify.findings import Findings
from itopsync.verify.reading import Case
from itopsync.verify.words import Text, folded, text_of, without_pictures

_TELLING = 16
"""Characters: shorter texts may be on both sides by chance."""


def held_back(logs: Logs, rules: Rules) -> dict[str, Line]:
    """People's entries on internal that begin with what kept them in when they were written, however disguised, by place."""
    people = logs.by(Side.INTERNAL, Writer.PERSON, Writer.UNSURE)
    dated = ((line, rules.kept_in_at(line.entry.earliest if line.entry else ANY_TIME)) for line in people)
    return {line.where: line for line, tags in dated if any(begins_with(line.html, tag) for tag in tags)}


@dataclass(frozen=True)
class Outside:
    """What is on external and is, or may be, ours."""

    ticket: Ticket
    ours: Sequence[Line]
    surplus: Sequence[Line]
    """Lines of ours without an original."""


def look_for_leaks(findings: Findings, case: Case, held: Iterable[Line], outside: Outside) -> None:
    """Report each *held* note whose words appear *outside*, in a field or in a line of ours.

    Lines without an original are also searched for the words after the tag.
    """
    fields = (letters for letters in _fields(outside.ticket, case.cls) if letters)
    written = [*(line.text.letters for line in outside.ours), *fields]
    unexplained = [line.text.letters for line in outside.surplus]
    for line in held:
        findings.counts["internal entries kept"] += 1
        whole = line.text.letters
        rest = _behind_the_tag(line.text, case.rules)
        telling = len(whole) >= _TELLING
        leaked = any(whole in words if telling else words.endswith(whole) for words in written)
        if leaked or (len(rest) >= _TELLING and any(rest in words for words in unexplained)):
            findings.differs(line.where, f"{line.label} is to stay in internal, but its words are on external")
        else:
            findings.excuse(line.where, "it is kept in internal")


def _fields(external: Ticket, cls: ClassRules) -> Iterable[str]:
    return (without_pictures(text_of(external.fields.get(name, "")).words) for name in cls.by_external)


def _behind_the_tag(text: Text, rules: Rules) -> str:
    """The words after the first tag; empty if the tag appears in another form."""
    for tag in map(folded, rules.kept_in_at(ANY_TIME)):
        place = text.letters.casefold().find(tag.casefold())
        if tag and place >= 0:
            return text.letters[place + len(tag) :]
    return ""
