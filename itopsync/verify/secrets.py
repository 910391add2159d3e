"""What is kept in internal: the words of notes that stay there, and internal's addresses, must appear nowhere on external."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from itopsync.model import ANY_TIME, Side, Ticket
from itopsync.reconcile.normalising import normalise
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.verify.beginning import begins_with
from itopsync.verify.entries import Line, Logs, Writer
from itopsync.verify.findings import Findings
from itopsync.verify.reading import Case
from itopsync.verify.words import Text, folded, text_of, without_pictures

_TELLING = 16
"""The minimum number of characters; shorter texts may be on both sides by chance."""
_PARTED = 2
"""The minimum number of blanks between the words of an address; fewer words may be in a file's name by chance."""


def held_back(logs: Logs, rules: Rules) -> dict[str, Line]:
    """Place → entry, for people's internal entries that begin with a prefix in force at their time, however disguised."""
    people = logs.by(Side.INTERNAL, Writer.PERSON, Writer.UNSURE)
    dated = ((line, rules.kept_in_at(line.entry.earliest if line.entry else ANY_TIME)) for line in people)
    return {line.where: line for line, tags in dated if any(begins_with(line.html, tag) for tag in tags)}


@dataclass(frozen=True)
class Outside:
    """What is on external, and what of it is or may be ours."""

    ticket: Ticket
    copy: Ticket
    """Its copy in internal."""
    people: Sequence[Line]
    ours: Sequence[Line]
    surplus: Sequence[Line]
    """Lines of ours without an original."""


def look_for_leaks(findings: Findings, case: Case, held: Iterable[Line], outside: Outside) -> None:
    """Report each *held* note whose words appear *outside*, in a field or a line of ours, unless people there had said them.

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
        leaked = leaked or (len(rest) >= _TELLING and any(rest in words for words in unexplained))
        if leaked and not _quotes(line, case, outside):
            findings.leaks(line.where, f"{line.label} is to stay in internal, but its words are on external")
        else:
            findings.excuse(line.where, "it is kept in internal")


def look_for_addresses(findings: Findings, rules: Rules, ours: Iterable[Line]) -> None:
    """Report each line of *ours* on external that contains a plainly spelt address of an internal page."""
    own = _own_addresses(rules)
    hosts = "|".join(re.escape(f"//{parts.netloc}{parts.path}") for parts in map(urlsplit, own))
    pattern = re.compile(rf"""(?:{hosts})(?=[/?#\s"'<>]|\Z)""", re.IGNORECASE)
    for line in ours:
        if own and pattern.search(html.unescape(line.html)):
            findings.leaks(line.where, f"{line.label} names an address of internal")


def names_an_address(name: str, rules: Rules) -> bool:
    """Whether a file's *name* contains all words of an address of internal in a row, whatever separates them."""
    pages = (_words(f"{parts.hostname}{parts.path}") for parts in map(urlsplit, _own_addresses(rules)))
    return any(page.count(" ") >= _PARTED and f" {page} " in f" {_words(name)} " for page in pages)


def _words(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", normalise("NFKC", name).casefold()))


def _own_addresses(rules: Rules) -> list[str]:
    theirs = [f"{address}/" for address in rules.external.addresses]
    return [address for address in rules.internal.addresses if not any(their.startswith(f"{address}/") for their in theirs)]


def _quotes(line: Line, case: Case, outside: Outside) -> bool:
    """Whether people on external had said all of it, in an earlier entry or in a value that is carried only from there."""
    earlier = (each for each in outside.people if each.entry and line.entry and each.entry.at < line.entry.at)
    rules = (rule for rule in case.cls.fields if not rule.direction.allows(Side.INTERNAL))
    values = ((outside.ticket.fields.get(rule.external, ""), outside.copy.fields.get(rule.internal, "")) for rule in rules)
    came = (there.letters for there, here in (map(text_of, value) for value in values) if there.letters == here.letters)
    return any(line.text.letters in words for words in (*(each.text.letters for each in earlier), *came))


def _fields(external: Ticket, cls: ClassRules) -> Iterable[str]:
    return (without_pictures(text_of(external.fields.get(name, "")).words) for name in cls.by_external)


def _behind_the_tag(text: Text, rules: Rules) -> str:
    """The words after the first tag; empty if the tag appears in another form."""
    for tag in map(folded, rules.kept_in_at(ANY_TIME)):
        place = text.letters.casefold().find(tag.casefold())
        if tag and place >= 0:
            return text.letters[place + len(tag) :]
    return ""
