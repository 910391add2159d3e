"""How a link changes once an action has been answered or its copy found: its base, its files and its obstacles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from itopsync.model import (
    Agreed,
    Attachment,
    FilePair,
    FileStatus,
    ItemKey,
    ItemKind,
    Link,
    LinkStatus,
    NoteRecord,
    Observation,
    Obstacle,
    Ref,
    Sent,
    Side,
    Ticket,
)
from itopsync.reconcile.form import cut_key
from itopsync.reconcile.markers import is_note
from itopsync.reconcile.plan import Action, Create, Item, Note, Remove, Upload, Write
from itopsync.reconcile.richtext import lost_words, value_fingerprint, words_fingerprint
from itopsync.reconcile.rules import ClassRules, FieldRule, Kind
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import initial, made_at


def created(link: Link, action: Create, external: Ticket, copy: Ticket, *, cls: ClassRules, now: datetime) -> Link:
    """The link once its copy exists: the states start at the initial ones, and the form agrees as far as it was carried."""
    rules, companions = cls.by_external, cls.state.every_companion
    fields = {
        name: Agreed(
            action.agrees.get(name, value_fingerprint("", is_html=rule.is_html)),
            value_fingerprint(copy.fields.get(rule.internal, ""), is_html=rule.is_html),
        )
        for name, rule in rules.items()
        if name in action.agrees or name in companions or not external.fields.get(name)
    }
    cut = _cut(action, copy, rules.values())
    notes = _with_notes({}, action.notes, Side.EXTERNAL, cls, now)
    base = replace(link.base, state=initial(cls.state), made_at=made_at(cls.state, copy), fields=fields, notes=notes, cut=cut)
    return replace(link, internal=copy.ref, internal_number=copy.number, status=LinkStatus.LINKED, base=base)


def announced(link: Link, actions: Iterable[Action], cls: ClassRules, seen: Observation) -> Link:
    """The link before *actions* are sent: what of their values is found later is ours, even if no answer tells.

    A value that has the same words as what *seen* shows there already, as if only its picture changed, would be found too early.
    """
    sent: dict[str, Sent] = {}
    for action in actions:
        there = seen.of(action.side)
        if not isinstance(action, Write) or there is None:
            continue
        for name, source in action.agrees.items():
            rule = cls.by_external[name]
            attribute = rule.of(action.side)
            words = words_fingerprint(str(action.fields[attribute]), is_html=rule.is_html)
            if words != words_fingerprint(there.fields.get(attribute, ""), is_html=rule.is_html):
                sent[name] = Sent(action.side, source, words)
    if sent.items() <= link.base.sent.items():
        return link
    return replace(link, base=replace(link.base, sent={**link.base.sent, **sent}))


def arrived(situation: Situation) -> Link:
    """The link with what is there of the values that were being written; the rest never arrived, for nothing lands any more."""
    link, rules = situation.link, situation.cls.by_external
    if not link.base.sent:
        return link
    fields = dict(link.base.fields)
    for rule, sent in ((rules[name], sent) for name, sent in link.base.sent.items() if name in rules):
        there = situation.ticket(sent.side).fields.get(rule.of(sent.side), "")
        if words_fingerprint(there, is_html=rule.is_html) == sent.words:
            result = value_fingerprint(there, is_html=rule.is_html)
            fields[rule.external] = sent.side.pick(Agreed(result, sent.source), Agreed(sent.source, result))
    return replace(link, base=replace(link.base, fields=fields, sent={}))


def written(link: Link, action: Write, answer: Ticket, cls: ClassRules, now: datetime) -> Link:
    """The link after *action*; *answer* shows the ticket as it is now."""
    rules, fields = cls.by_external, dict(link.base.fields)
    for name, source in action.agrees.items():
        rule = rules[name]
        result = value_fingerprint(answer.fields.get(rule.of(action.side), ""), is_html=rule.is_html)
        pair = {action.side.other: source, action.side: result}
        fields[name] = Agreed(pair[Side.EXTERNAL], pair[Side.INTERNAL])
    notes = _with_notes(link.base.notes, action.notes, action.side.other, cls, now)
    carried = [rules[name] for name in action.agrees]
    before = link.base.cut - {cut_key(action.side, rule) for rule in carried}
    cut = before | _cut(action, answer, carried)
    sent = {name: sent for name, sent in link.base.sent.items() if name not in action.agrees}
    return replace(link, base=replace(link.base, fields=fields, notes=notes, cut=cut, sent=sent))


def _cut(action: Create | Write, answer: Ticket, rules: Iterable[FieldRule]) -> frozenset[str]:
    """The attributes from which the server dropped words."""
    sent = [(rule, action.fields.get(rule.of(action.side))) for rule in rules if rule.kind is Kind.HTML]
    return frozenset(
        cut_key(action.side, rule)
        for rule, value in sent
        if isinstance(value, str) and lost_words(value, answer.fields.get(rule.of(action.side), ""))
    )


def uploaded(link: Link, action: Upload, attachment: Attachment) -> Link:
    """The link after an upload; an attachment that the server stored without its marker is recorded by its id."""
    if attachment.temp_id != action.marker:
        unmarked = {**link.base.unmarked_files, action.marker: (action.side, attachment.id)}
        link = replace(link, base=replace(link.base, unmarked_files=unmarked))
    if action.pair is None:
        return _whole_sent(link, action.item.key)
    done = replace(action.pair, copy_id=attachment.id, status=FileStatus.CARRIED)
    return replace(link, files=(*_other_pairs(link, done), done))


def _whole_sent(link: Link, key: ItemKey) -> Link:
    """The link once a text that a server had cut is there in full, as a file."""
    if key.kind is not ItemKind.WHOLE:
        return link
    what = key.which
    notes = dict(link.base.notes)
    if what in notes:
        notes[what] = replace(notes[what], cut=False)
    return replace(link, base=replace(link.base, notes=notes, cut=link.base.cut - {what}))


def removed(link: Link, action: Remove) -> Link:
    """The link after an attachment was removed; the file is forgotten once both its attachments are gone."""
    return link if action.pair is None else replace(link, files=tuple(_other_pairs(link, action.pair)))


def refused(link: Link, item: Item, reason: str, now: datetime, back_off: timedelta | None, *, no_right: bool = False) -> Link:
    """The link after *item* was refused. If *back_off* is None, the item is parked.

    *no_right*: our account lacks a right, so that this does not count as a try.
    """
    tries, not_before = tries_of(link, item) + (not no_right), None if back_off is None else now + back_off
    obstacle = Obstacle(item.key, item.fingerprint, reason, tries, back_off is None, not_before, no_right=no_right)
    others = tuple(other for other in link.obstacles if other.key != item.key)
    return replace(link, obstacles=(*others, obstacle))


def tries_of(link: Link, item: Item) -> int:
    """How often *item* has been refused so far."""
    return sum(each.tries for each in link.obstacles if item.names(each))


def _with_notes(
    before: Mapping[str, NoteRecord], notes: tuple[Note, ...], origin: Side, cls: ClassRules, now: datetime
) -> dict[str, NoteRecord]:
    records, renamed = dict(before), {log.of(origin.other): log.renamed(origin.other) for log in cls.logs}
    for note in notes:
        for marker in note.markers:
            known = records.get(marker)
            if known is not None and known.carried_at is None:
                records[marker] = replace(known, writes=known.writes + 1, unmarked="")
            elif is_note(marker):
                writes, born = (known.writes + 1, known.born) if known else (1, "")  # the next look tells
                records[marker] = NoteRecord(origin, now, writes, unchecked=True, log=renamed[note.log], born=born)
    return records


def _other_pairs(link: Link, pair: FilePair) -> list[FilePair]:
    return [other for other in link.files if (other.key, other.born) != (pair.key, pair.born)]


def adopted(link: Link, copy: Ref, cls: ClassRules) -> Link:
    """The link with a copy that was found by its marker; the content is compared from scratch."""
    return replace(link, internal=copy, status=LinkStatus.LINKED, base=replace(link.base, state=initial(cls.state)))
