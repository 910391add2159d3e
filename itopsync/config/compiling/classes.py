"""One ticket class, compiled: its form, its logs, its states, and what its copies begin with."""

from __future__ import annotations

from collections.abc import Sequence

from itopsync.config.catalogue import classes
from itopsync.config.compiling.attributes import ClassPair, compile_attribute
from itopsync.config.compiling.carrying import compile_condition
from itopsync.config.compiling.context import Context, listed, meant, meant_or
from itopsync.config.compiling.defaults import check_defaults, check_initial, check_organisation
from itopsync.config.compiling.states import compile_states
from itopsync.config.shape import ClassSection, LogSection, SyncFile
from itopsync.config.shape.carrying import ClassDirections
from itopsync.model import Side
from itopsync.reconcile.rules import ClassRules, Direction, FieldRule, Kind, LogRule

_NEVER_EMPTY = ("title", "description")
"""What iTop demands of every ticket, besides its organisation."""
_NO_DIRECTIONS = ClassDirections()


def compile_classes(file: SyncFile, context: Context) -> tuple[ClassRules, ...]:
    """Compile all classes of *file*, and check both sides' defaults against what they need."""
    if not file.classes and not context.faults.any_below("classes"):
        context.missing(
            "classes", f"Add a table for each ticket class, such as [classes.UserRequest]; there are {listed(classes())}"
        )
    if file.rules.new_tickets.allows(Side.EXTERNAL):
        check_organisation(file.internal.defaults, context)
    pairs = {name: _pair(name, section, context) for name, section in file.classes.items()}
    known = [pair for pair in pairs.values() if pair is not None]
    _check_logs(file.logs, known, context)
    compiled = tuple(_compile(pair, file.classes[name], file, context) for name, pair in pairs.items() if pair is not None)
    named = {name for section in file.classes.values() for name in section.on_create or ()}
    demanded = {name for rules in compiled for names in rules.state.internal.mandatory.values() for name in names}
    asked = {name for rules in compiled for names in rules.state.external.mandatory.values() for name in names}
    check_defaults(Side.INTERNAL, file.internal.defaults, [pair.internal for pair in known], named | demanded, context)
    check_defaults(Side.EXTERNAL, file.external.defaults, [pair.external for pair in known], asked, context)
    return compiled


def _pair(name: str, section: ClassSection, context: Context) -> ClassPair | None:
    key, internal = f"classes.{name}", section.internal or name
    if section.like is not None and section.like not in classes():
        context.faults.add(f"{key}.like", f"iTop ships no ticket class {section.like}", meant(section.like, classes()))
        return None
    model = classes().get(section.like or "")
    mine, theirs = classes().get(name, model), classes().get(internal, model)
    for cls, place, found in ((name, key, mine), (internal, f"{key}.internal", theirs)):
        if found is None and (cls != name or place == key):
            remedy = f"Say which of iTop's own it is like, as {key}.like; there are: {listed(classes())}"
            context.faults.add(place, f"iTop ships no ticket class {cls}", meant_or(cls, classes(), remedy))
    if mine is None or theirs is None:
        return None
    return ClassPair(mine, theirs, name, internal, section.attributes)


def _compile(pair: ClassPair, section: ClassSection, file: SyncFile, context: Context) -> ClassRules:
    own = file.rules.classes.get(pair.external_name, _NO_DIRECTIONS)
    state = compile_states(pair, section, own.state or file.rules.state, context)
    fields = _form(pair, section, own.form or file.rules.form, context)
    _check_every_attribute_is_used(
        pair, section, fields, {rule.external for rules in state.companions.values() for rule in rules}, context
    )
    defaults = file.internal.defaults
    on_create = _on_create(pair, section, file, context)
    if file.rules.new_tickets.allows(Side.EXTERNAL):
        check_initial(pair.external_name, state.internal.mandatory[state.internal.initial], on_create, defaults, context)
        _check_not_empty(pair, fields, on_create, context)
    conditions = (("scope.condition", file.scope.condition), (f"{pair.place}.scope", section.scope))
    return ClassRules(
        pair.external_name,
        pair.internal_name,
        state,
        fields,
        _logs(pair, section.logs, file.logs, own.notes or file.rules.notes, context),
        on_create,
        compile_condition(conditions, context),
        _since_attribute(pair, section, context),
    )


def _form(pair: ClassPair, section: ClassSection, direction: Direction, context: Context) -> tuple[FieldRule, ...]:
    names = [name for name in pair.external.form if pair.fits(name)] if section.form is None else section.form
    rules = []
    for name in dict.fromkeys(names):
        way = pair.section(name).direction or direction
        rule = compile_attribute(pair, name, way, f"{pair.place}.form", context)
        if rule is not None and way is not Direction.NEVER:
            rules.append(rule)
    _check_targets(pair, rules, context)
    return tuple(rules)


def _check_targets(pair: ClassPair, rules: Sequence[FieldRule], context: Context) -> None:
    taken: dict[str, str] = {}
    for rule in rules:
        other = taken.setdefault(rule.internal, rule.external)
        if other != rule.external:
            key = f"{pair.place}.attributes.{rule.external}.internal"
            context.faults.add(
                key, f"{other} is written to {rule.internal} as well", "Let each have its own, or take one out of the form"
            )


def _check_every_attribute_is_used(
    pair: ClassPair, section: ClassSection, fields: Sequence[FieldRule], companions: set[str], context: Context
) -> None:
    used = {rule.external for rule in fields} | companions | set(section.form or pair.external.form)
    used |= {name for names in section.companions.values() for name in names}
    for name in section.attributes:
        if name not in used:
            remedy = meant_or(name, used, f"Add it to {pair.place}.form, or remove it")
            context.faults.add(
                f"{pair.place}.attributes.{name}", f"{name} is not carried, neither with the form nor with a state", remedy
            )


def _check_not_empty(pair: ClassPair, fields: Sequence[FieldRule], on_create: Sequence[str], context: Context) -> None:
    carried = {rule.internal for rule in fields if rule.direction.allows(Side.EXTERNAL)}
    lacking = [name for name in _NEVER_EMPTY if name not in carried and name not in on_create]
    if lacking and not any(context.faults.any_below(f"{pair.place}.{key}") for key in ("form", "attributes")):
        what = f"a new {pair.internal_name} would have no {' and no '.join(lacking)}, which iTop demands"
        context.faults.add(f"{pair.place}.form", what, "Carry it to internal, or give it a value in internal.defaults")


def _on_create(pair: ClassPair, section: ClassSection, file: SyncFile, context: Context) -> tuple[str, ...]:
    defaults = file.internal.defaults
    if section.on_create is None:
        has = pair.internal.keys | pair.internal.attributes.keys()
        return tuple(name for name in defaults if name in has)
    for name in section.on_create:
        if name not in defaults and not context.faults.known(f"internal.defaults.{name}"):
            context.faults.add(f"{pair.place}.on_create", f"internal.defaults has no {name}", meant(name, defaults))
    return tuple(dict.fromkeys(section.on_create))


def _logs(
    pair: ClassPair, own: Sequence[LogSection] | None, common: Sequence[LogSection], direction: Direction, context: Context
) -> tuple[LogRule, ...]:
    if own is None:
        given = [log for log in common if log.external in pair.external.logs and log.internal in pair.internal.logs]
        if not given and not context.faults.known("logs"):
            what = f"{pair.external_name} has none of the logs that are paired in [[logs]]"
            context.faults.add(f"{pair.place}.logs", what, f"Pair one of its own there: {listed(pair.external.logs)}")
    else:
        given = list(own)
        _check_own_logs(pair, given, context)
    return tuple(LogRule(log.external, log.internal, log.direction or direction) for log in given)


def _check_own_logs(pair: ClassPair, logs: Sequence[LogSection], context: Context) -> None:
    key = f"{pair.place}.logs"
    if not logs:
        context.faults.add(key, "a copy is known by an entry of its first log, and there is none", "Pair at least one log")
    _check_once(logs, key, context)
    for log in logs:
        for name, cls in ((log.external, pair.external), (log.internal, pair.internal)):
            guess = meant(name, cls.logs)
            if name in cls.attributes or name in cls.keys:
                context.faults.add(key, f"{name} is no case log", f"There are {listed(cls.logs)}")
            elif name not in cls.logs and guess.startswith("Did"):
                context.faults.add(key, f"{cls.name} has no case log {name}", guess)


def _check_logs(logs: Sequence[LogSection], pairs: Sequence[ClassPair], context: Context) -> None:
    """Check the logs that are paired for all classes: each must be there in one of them, and each class must have one."""
    _check_once(logs, "logs", context)
    for log in logs:
        for name, found in ((log.external, [pair.external for pair in pairs]), (log.internal, [pair.internal for pair in pairs])):
            known = {one for cls in found for one in cls.logs}
            if found and name not in known:
                context.faults.add("logs", f"no synced class has a case log {name}", meant(name, known))
    if not logs:
        context.faults.add("logs", "a copy is known by an entry of its first log, and there is none", "Pair at least one log")


def _check_once(logs: Sequence[LogSection], key: str, context: Context) -> None:
    for names in ([log.external for log in logs], [log.internal for log in logs]):
        if len(set(names)) < len(names):
            context.faults.add(key, "one log is paired twice", "Pair each log once")


def _since_attribute(pair: ClassPair, section: ClassSection, context: Context) -> str:
    name = section.since_attribute
    if name is None:
        return pair.external.since_attribute
    known = pair.external.attributes.get(name)
    dates = [one for one, attribute in pair.external.attributes.items() if attribute.kind is Kind.DATE]
    if known is None or known.kind is not Kind.DATE:
        key = f"{pair.place}.since_attribute"
        context.faults.add(key, f"{name} is no date of {pair.external_name} in iTop's own data model", meant(name, dates))
    return name
