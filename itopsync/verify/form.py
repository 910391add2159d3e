"""The form, a state's companions, and the state: each side's values must be what the rules make of the other's."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from itopsync.model import Agreed, Link, Side, Ticket
from itopsync.reconcile.rules import ClassRules, Direction, FieldRule, Kind, StateRules
from itopsync.verify.findings import Findings
from itopsync.verify.reading import Case
from itopsync.verify.words import Text, as_marked_up, folded, text_of, without_pictures

_CUT = "…"
_PLACEHOLDER = "itopsync-picture:"
"""Removed from plain texts when they are carried."""


@dataclass(frozen=True)
class Shown:
    """A field and the texts that it shows on both sides."""

    rule: FieldRule
    origin: Text
    target: Text


def compare_states(findings: Findings, case: Case, external: Ticket, internal: Ticket) -> None:
    """Compare the two states through the maps."""
    findings.counts["states"] += 1
    if _correspond(case.cls.state, external.state, internal.state):
        return
    what = f"the state is '{external.state}' on external and '{internal.state}' on internal"
    _report(findings, "state", what, case.kept, apart=_states_stand_apart(findings.link, case.cls.state, external, internal))


def compare_fields(findings: Findings, case: Case, external: Ticket, internal: Ticket) -> list[Shown]:
    """Compare internal's fields with what the rules make of external's; return those that agree and show pictures.

    Fields carried only to external are not compared: an edit made there would look like a difference.
    """
    shown = []
    for rule in _rules_now(findings, case.cls, external, internal):
        findings.counts["fields"] += 1
        source, present = external.fields.get(rule.external, ""), internal.fields.get(rule.internal, "")
        item, texts = f"field:{rule.external}", None
        if rule.kind in (Kind.CODE, Kind.DATE):
            alike = _same_code(rule, source, present)
        else:
            texts = _texts(rule, source, present, external.number)
            alike = _same_words(rule, texts) or _same_cut(findings, case, texts, internal)
        if not alike:
            what = f"{rule.internal} of internal is not what {rule.external} of external says"
            _report(findings, item, what, case.kept, apart=_stands_apart(findings.link, case, rule, source, present))
        elif texts is not None and texts.target.pictures:
            shown.append(texts)
    return shown


def _correspond(rules: StateRules, external: str, internal: str) -> bool:
    """Whether two states correspond through the maps; a state that is left out counts as the one before it."""
    theirs, ours = _counted(rules, external, internal)
    return rules.to_internal.get(theirs, theirs) == ours or rules.to_external.get(ours, ours) == theirs


def _counted(rules: StateRules, external: str, internal: str) -> tuple[str, str]:
    """What two states count as: the one before it if a state is left out."""
    return rules.left_out.get(external, external), rules.left_out.get(internal, internal)


def _rules_now(findings: Findings, cls: ClassRules, external: Ticket, internal: Ticket) -> Iterator[FieldRule]:
    """The fields carried to internal and the companions of the common state; if the states differ, the companions of both.

    Companions of a state that cannot be carried, or stays where it is, wait with it.
    """
    form = [rule for rule in cls.fields if rule.direction.allows(Side.EXTERNAL)]
    yield from form
    agree = _correspond(cls.state, external.state, internal.state)
    rests = findings.obstacle("state") is not None or _states_stand_apart(findings.link, cls.state, external, internal)
    if cls.state.direction is Direction.BOTH and (agree or not rests):
        theirs, ours = _counted(cls.state, external.state, internal.state)
        of_both = {rule.external for rule in cls.state.companions.get(cls.state.to_external.get(ours, ours), ())}
        names = {rule.external for rule in form}
        companions = [rule for rule in cls.state.companions.get(theirs, ()) if rule.external not in names]
        yield from (rule for rule in companions if agree or rule.external in of_both)


def _same_code(rule: FieldRule, source: str, present: str) -> bool:
    if rule.to_internal.get(source, source) == present:
        return True
    if rule.direction is Direction.BOTH and rule.to_external.get(present, present) == source:
        return True
    return rule.kind is Kind.DATE and bool(source and present) and source[:16] == present[:16]


def _same_words(rule: FieldRule, texts: Shown) -> bool:
    """Whether the texts match, in either direction if the rule has both.

    Plain text shows links as addresses, and list items with numbers or dashes.
    """
    origin, target = texts.origin, texts.target
    if origin.is_said_by(target.words) or origin.is_said_by(as_marked_up(target.words, origin)):
        return True
    if target.is_said_by(as_marked_up(origin.words, target)):
        return True
    return rule.direction is Direction.BOTH and target.is_said_by(origin.words)


def _texts(rule: FieldRule, source: str, present: str, number: str) -> Shown:
    if rule.template is not None:
        source = rule.template.format(value=source, number=number)
    if rule.kind is Kind.HTML:
        return Shown(rule, text_of(source), text_of(present))
    plain = [folded(value.replace(_PLACEHOLDER, "")) for value in (source, present)]
    return Shown(rule, *(Text(words, words) for words in plain))


def _same_cut(findings: Findings, case: Case, texts: Shown, internal: Ticket) -> bool:
    """Whether internal shows the beginning of a text that does not fit, and has the whole text as a file."""
    short, cut, _ = texts.target.words.rpartition(_CUT)
    begins = texts.origin.letters.startswith(without_pictures(short)[:-2])
    if texts.rule.limit is None or not cut or len(texts.target.words) * 4 < texts.rule.limit or not begins:
        return False
    wholes = [file.id for file in internal.attachments if file.temp_id.startswith(f"itopsync-{case.rules.pair}-o-")]
    if any(_is_whole(texts, case.library.text(Side.INTERNAL, number)) for number in wholes):
        return True
    if any(obstacle.key.startswith("overflow:") for obstacle in findings.link.obstacles):
        findings.excuse(f"field:{texts.rule.external}", "its whole text waits or is parked")
        return True
    return False


def _is_whole(texts: Shown, whole: str | None) -> bool:
    if whole is None:
        return False
    words = text_of(whole).letters if texts.rule.kind is Kind.HTML else folded(whole.replace(_PLACEHOLDER, ""))
    return words == texts.origin.letters


def _report(findings: Findings, item: str, what: str, kept: Collection[str], *, apart: bool) -> None:
    obstacle = findings.obstacle(item)
    if item in kept:
        findings.excuse(item, "the rules leave it as it is, or somebody edited it in internal")
    elif obstacle is not None:
        findings.excuse(item, "it is parked" if obstacle.parked else "it waits")
    elif findings.waits:
        findings.excuse(item, "it waits")
    elif apart:
        findings.excuse(item, "it differed when the two were linked by hand, or found again, and neither has changed since")
    else:
        findings.differs(item, what)


def _states_stand_apart(link: Link, rules: StateRules, external: Ticket, internal: Ticket) -> bool:
    """Whether the states already differed when the two were linked, and are the same since."""
    now = Agreed(*_counted(rules, external.state, internal.state))
    return link.base.stands_apart("state") and link.base.state == now


def _stands_apart(link: Link, case: Case, rule: FieldRule, source: str, present: str) -> bool:
    """Whether a field already differed when the two were linked, and is the same since."""
    now = Agreed(case.fingerprint(rule, source), case.fingerprint(rule, present))
    return link.base.stands_apart(rule.external) and link.base.fields[rule.external] == now
