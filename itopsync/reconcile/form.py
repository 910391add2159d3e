"""The form and the companions of states: which values changed since both sides last agreed, and what to write."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from itopsync.model import Agreed, ItemKey, ItemKind, Link, Side
from itopsync.reconcile.defaults import Chosen
from itopsync.reconcile.gate import words
from itopsync.reconcile.markers import overflow_marker
from itopsync.reconcile.moments import why_not_carried
from itopsync.reconcile.part import Part, Value
from itopsync.reconcile.pictures import illustrate
from itopsync.reconcile.plan import Item, Kept, TextSource, Upload
from itopsync.reconcile.richtext import (
    Carried,
    attachment_address,
    carry,
    fill,
    fingerprint,
    in_words,
    literal,
    shorten,
    value_fingerprint,
    without_pictures,
)
from itopsync.reconcile.rules import Direction, FieldRule, Kind
from itopsync.reconcile.situation import Situation, addresses_of

_BYTES_FROM = 1_000
"""A limit from this on means a MySQL TEXT, which counts bytes; a lower one a VARCHAR, which counts characters."""

_GREATEST_ID = 2**31 - 1
"""iTop's keys are MySQL's signed INTs."""


def plan_form(situation: Situation) -> Part:
    """Plan the form's attributes, both ways."""
    part = Part()
    agreed: dict[str, Agreed] = {}
    for target in (Side.INTERNAL, Side.EXTERNAL):
        plan_values(situation, part, target, situation.cls.fields, agreed)
    part.record = noting(agreed)
    return part


def noting(agreed: Mapping[str, Agreed]) -> Callable[[Link], Link]:
    """A function that records values in a link's base as agreed."""
    return lambda link: replace(link, base=replace(link.base, fields={**link.base.fields, **agreed}))


def plan_values(situation: Situation, part: Part, target: Side, rules: Sequence[FieldRule], agreed: dict[str, Agreed]) -> None:
    """Plan the writes of *rules*' attributes into *target*. Values found equal are recorded in *agreed*."""
    for rule in rules:
        way, link_base = rule.direction, situation.link.base
        mine, theirs = situation.ticket(target.other).fields, situation.ticket(target).fields
        source, present = mine.get(rule.of(target.other), ""), theirs.get(rule.of(target), "")
        now = {
            side: value_fingerprint(value, is_html=rule.is_html) for side, value in ((target.other, source), (target, present))
        }
        base = link_base.fields.get(rule.external)
        moved = _moved(base, now, way)
        if not moved and link_base.stands_apart(rule.external):
            continue
        # Up to half the limit is assumed to fit, however it is written there: finding out costs as much as writing.
        if rule.limit is not None and way.allows(target.other) and len(source) * 2 > rule.limit:
            value = render(situation, part, target, rule, source)
            part.uploads += [value.whole] if value is not None and value.whole is not None else []
        if cut_key(target, rule) in link_base.cut and way.allows(target.other):
            part.uploads += _whole(situation, part, target, rule, source)
        if not _goes(moved, target, way):
            _remark_kept(part, rule, moved, target, way)
            continue
        value = render(situation, part, target, rule, source)
        if value is None:
            continue
        if value.value == present:
            agreed[rule.external] = Agreed(now[Side.EXTERNAL], now[Side.INTERNAL])
        else:
            part.content[target].values.append(value)
            part.uploads += value.uploads


def alike(situation: Situation, rule: FieldRule) -> bool:
    """Whether either value is what the other would be written as; in HTML, only words and pictures count."""
    return any(_is_made_of_the_other(situation, target, rule) for target in Side)


def is_as_created(situation: Situation, rule: FieldRule) -> bool:
    """Whether the copy's value is what a create writes, which leaves the pictures to the next write."""
    return _is_made_of_the_other(situation, Side.INTERNAL, rule, with_pictures=False)


def _is_made_of_the_other(situation: Situation, target: Side, rule: FieldRule, *, with_pictures: bool = True) -> bool:
    there = situation.ticket(target)
    source, present = (
        situation.ticket(target.other).fields.get(rule.of(target.other), ""),
        there.fields.get(rule.of(target), ""),
    )
    value = render(situation, Part(), target, rule, source)
    if value is None:
        return False
    if not rule.is_html:
        return value.value == present
    text = value.value if with_pictures else without_pictures(value.value, [upload.marker for upload in value.uploads])
    shown = fill(text, addresses_of(situation.rules.of(target).public_url, there))
    return fingerprint("", shown) == fingerprint("", present)


def field_key(rule: FieldRule) -> ItemKey:
    """The item key of an attribute."""
    return ItemKey.of(ItemKind.FIELD, rule.external)


def cut_key(side: Side, rule: FieldRule) -> str:
    """The key, in ``Base.cut``, of an attribute from which *side* dropped words."""
    return f"{side}:{rule.external}"


def _whole(situation: Situation, part: Part, target: Side, rule: FieldRule, source: str) -> tuple[Upload, ...]:
    """The upload of the whole text of an attribute that *target* has cut, unless it is already there."""
    value = render(situation, part, target, rule, source)
    item = Item(ItemKey.of(ItemKind.WHOLE, cut_key(target, rule)), value_fingerprint(source, is_html=rule.is_html))
    part.want(item)
    if value is None or value.whole is not None or situation.obstacle(item):
        return ()
    origin = situation.link.ref(target.other) or situation.link.external
    marker = overflow_marker(situation.rules.pair, origin, f"{rule.external} {item.fingerprint}")
    if situation.has_attachment(target, marker):
        return ()
    return (Upload(target, marker, TextSource(f"{rule.of(target)}.html", in_words(value.value)), item),)


def render(situation: Situation, part: Part, target: Side, rule: FieldRule, source: str) -> Value | None:
    """Render *source*, the other side's value, for *target*; None if it must wait or is parked."""
    looks = value_fingerprint(source, is_html=rule.is_html)
    item = Item(field_key(rule), f"{target}:{looks}")
    part.want(item)
    if situation.obstacle(item):
        return None
    origin = situation.origin(target.other)
    guarded = source if rule.kind in (Kind.HTML, Kind.DATE) else words(source, origin.addresses)
    if rule.kind in (Kind.CODE, Kind.DATE):
        value = rule.values(target.other).get(source, guarded)
        if rule.kind is Kind.DATE and (why := why_not_carried(value, situation.rules.of(target).timezone)):
            part.park(item, why)
            return None
        return Value(rule, value, item, looks)
    text = carry(source, origin) if rule.kind is Kind.HTML else Carried(literal(guarded), ())
    illustrated = illustrate(situation, part, target, text.html, text.pictures)
    if illustrated is None:
        return None
    value, uploads = illustrated
    if rule.template is not None and target is Side.INTERNAL:
        value = rule.template.format(value=value, number=situation.ticket(Side.EXTERNAL).number)
    made = Value(rule, value, item, looks, uploads)
    too_long = rule.limit is not None and _length(_shown(situation, target, value), rule.limit) > rule.limit
    return _cut_to_fit(situation, part, target, made) if too_long else made


def carried_with_state(
    situation: Situation, part: Part, target: Side, rules: Sequence[FieldRule], demanded: Collection[str]
) -> list[Value] | None:
    """The companions to write with a state: every one that the other side has changed, or that *target* lacks.

    What nobody has changed since both agreed stays, as *target* may have the original, and the other side a poorer copy of it.
    A companion that only *target* has changed is carried the other way once the states agree. One that differed when two tickets
    were linked by hand stays, too, until somebody changes it. But nothing *demanded* stays empty.
    None if a companion must wait, for a picture for instance: without it, iTop could refuse the state, or accept it with half
    its reasons.
    """
    values = []
    for rule in rules:
        source = situation.ticket(target.other).fields.get(rule.of(target.other), "")
        if _stays(situation, target, rule, demanded):
            continue
        value = render(situation, part, target, rule, source) if source else None
        if source and value is None and not _is_parked(situation, part, rule):
            return None
        if value is not None and value.value != situation.ticket(target).fields.get(rule.of(target), ""):
            values.append(value)
    return values


def _stays(situation: Situation, side: Side, rule: FieldRule, demanded: Collection[str]) -> bool:
    """Whether *side* keeps its companion since nothing newer is to go there."""
    base = situation.link.base.fields.get(rule.external)
    now = {each: situation.ticket(each).fields.get(rule.of(each), "") for each in Side}
    if base is None or (not now[side] and rule.of(side) in demanded):
        return False
    moved = {each for each in Side if base.of(each) != value_fingerprint(now[each], is_html=rule.is_html)}
    if not moved:
        return bool(now[side]) or situation.link.base.stands_apart(rule.external)
    return moved == {side}


def _is_parked(situation: Situation, part: Part, rule: FieldRule) -> bool:
    obstacle = next((each for each in part.obstacles(situation.link) if each.key == field_key(rule)), None)
    return obstacle is not None and obstacle.parked


def mandatory_defaults(situation: Situation, target: Side, state: str, given: Mapping[str, object]) -> Chosen | str | None:
    """The side's defaults for attributes that *state* demands and that are still empty: a dispatcher's choice is kept.

    None if a look-up is missing; a text, with the reason, if a server fails to answer one.
    """
    present = situation.ticket(target).fields
    demanded = situation.cls.state.of(target).mandatory.get(state, frozenset())
    lacking = [name for name in sorted(demanded) if name not in given and not present.get(name)]
    return situation.defaults(target, lacking) if lacking else Chosen({})


def _moved(base: Agreed | None, now: Mapping[Side, str], way: Direction) -> set[Side]:
    """The sides that changed the value. Without a base the copy is new, and its original's value counts as changed."""
    if base is None:
        return {Side.EXTERNAL if way.allows(Side.EXTERNAL) else Side.INTERNAL}
    return {side for side in Side if base.of(side) != now[side]}


def _goes(moved: set[Side], target: Side, way: Direction) -> bool:
    """Whether *target* takes the other side's value, by who changed it since both agreed:

    ========  ==========================
    external  internal takes it
    internal  external takes it
    both      external takes internal's
    neither   each keeps its own
    ========  ==========================

    A change that the direction does not allow stays where it was made, and overrides nothing.
    """
    if target.other not in moved or not way.allows(target.other):
        return False
    return target is Side.EXTERNAL or Side.INTERNAL not in moved or not way.allows(Side.INTERNAL)


def _remark_kept(part: Part, rule: FieldRule, moved: set[Side], target: Side, way: Direction) -> None:
    if target is Side.INTERNAL and moved == {Side.INTERNAL} and not way.allows(Side.INTERNAL):
        part.remark(Kept.INTERNAL_EDIT, field_key(rule))


def _shown(situation: Situation, target: Side, value: str) -> str:
    """*value* at the maximum length that it may reach once its pictures' addresses are filled in."""
    longest = attachment_address(situation.rules.of(target).public_url, _GREATEST_ID)
    return fill(value, lambda _: longest)


def _length(value: str, limit: int) -> int:
    return len(value.encode()) if limit >= _BYTES_FROM else len(value)


def _cut_to_fit(situation: Situation, part: Part, target: Side, value: Value) -> Value:
    """*value* cut to fit, with the upload of the whole text as a file unless that is there or must wait."""
    rule = value.rule
    origin = situation.link.ref(target.other) or situation.link.external
    marker = overflow_marker(situation.rules.pair, origin, f"{rule.external} {value.fingerprint}")
    name = f"{rule.of(target)}.{'html' if rule.kind is Kind.HTML else 'txt'}"
    short = replace(value, value=_shortened(rule, value.value, f"The whole text is in the attachment {name}."))
    item = Item(ItemKey.of(ItemKind.OVERFLOW, marker), "")
    if situation.observation.of(target) is None or situation.has_attachment(target, marker):
        return short
    part.want(item)
    if situation.obstacle(item):
        return short
    return replace(short, whole=Upload(target, marker, TextSource(name, in_words(value.value)), item))


def _shortened(rule: FieldRule, text: str, remark: str) -> str:
    limit = rule.limit or 0
    if limit < _BYTES_FROM:
        # iTop before 3.1 counts bytes here too
        return text.encode()[: limit - len("…".encode())].decode(errors="ignore") + "…"
    if rule.kind is Kind.HTML:
        return shorten(text, limit, remark)
    return text.encode()[: limit - 100].decode(errors="ignore") + f"…\n{remark}"
