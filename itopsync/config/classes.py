"""Compiles a ticket class: its form, its logs, its states, and the initial values of its copies."""

from __future__ import annotations

from collections.abc import Sequence

from itopsync.config.attributes import ClassPair, compile_attribute
from itopsync.config.catalogue import classes
from itopsync.config.defaults import Settable, check_defaults, check_initial, check_organisation
from itopsync.config.faults import Faults
from itopsync.config.routes import SideRoutes, compile_routing
from itopsync.config.routes import looked_at as read_for_routes
from itopsync.config.schema import ClassSection, LogSection, Row, SyncFile
from itopsync.config.states import compile_states
from itopsync.model import BySide, Side
from itopsync.reconcile.defaults import Routing
from itopsync.reconcile.rules import ClassRules, Direction, FieldRule, LogRule
from itopsync.settings.hints import listed, meant, meant_or

_NEVER_EMPTY = ("title", "description")
"""The attributes that iTop demands for every ticket, besides its organisation."""


def compile_classes(file: SyncFile, routes: BySide[SideRoutes], faults: Faults) -> tuple[tuple[ClassRules, ...], BySide[Routing]]:
    """Compile all classes of *file* and both sides' routes, and check the defaults against what the classes need."""
    if not file.classes and not faults.any_below("classes"):
        remedy = f"Add a table for each ticket class, such as [classes.UserRequest]; iTop has {listed(classes())}"
        faults.add("classes", "it is missing", remedy)
    if file.rules.new_tickets.allows(Side.EXTERNAL):
        check_organisation(file.internal.defaults, faults)
    pairs = {name: _pair(name, section, faults) for name, section in file.classes.items()}
    known = [pair for pair in pairs.values() if pair is not None]
    _check_logs(file.logs, known, faults)
    compiled = tuple(_compile(pair, file.classes[name], file, routes, faults) for name, pair in pairs.items() if pair is not None)
    if len(known) == len(file.classes):
        _check_parts(file.rules.form, "rules.form", {name for pair in known for name in _form_names(pair, file)}, faults)
        _check_parts(file.rules.notes, "rules.notes", {log.external for rules in compiled for log in rules.logs}, faults)
    demanded = {name for rules in compiled for names in rules.state.internal.mandatory.values() for name in names}
    asked = {name for rules in compiled for names in rules.state.external.mandatory.values() for name in names}
    internal = Settable.of(Side.INTERNAL, [pair.internal for pair in known], demanded)
    external = Settable.of(Side.EXTERNAL, [pair.external for pair in known], asked)
    check_defaults(internal, file.internal.defaults, faults)
    check_defaults(external, file.external.defaults, faults)
    return compiled, BySide(compile_routing(routes.external, known, external), compile_routing(routes.internal, known, internal))


def _form_names(pair: ClassPair, file: SyncFile) -> tuple[str, ...]:
    given = file.classes[pair.external_name].form
    return tuple(name for name in pair.external.form if pair.fits(name)) if given is None else tuple(dict.fromkeys(given))


def direction_of(part: str, own: Row | None, common: Row, otherwise: Direction) -> Direction:
    """The direction of a form attribute or a log: from the class's *own* row, else from the *common* row, else *otherwise*."""
    for row in (own, common):
        if isinstance(row, Direction):
            return row
        if row is not None and part in row:
            return row[part]
    return otherwise


def _check_parts(row: Row | None, key: str, known: set[str], faults: Faults) -> None:
    """Check that a row names only known parts."""
    for name in row if isinstance(row, dict) else ():
        if name not in known:
            faults.add(f"{key}.{name}", f"{name} is not carried", meant_or(name, known, "Remove it"))


def _pair(name: str, section: ClassSection, faults: Faults) -> ClassPair | None:
    key, internal = f"classes.{name}", section.internal or name
    if section.like is not None and section.like not in classes():
        faults.add(f"{key}.like", f"iTop ships no ticket class {section.like}", meant(section.like, classes()))
        return None
    model = classes().get(section.like or "")
    mine, theirs = classes().get(name, model), classes().get(internal, model)
    for cls, place, found in ((name, key, mine), (internal, f"{key}.internal", theirs)):
        if found is None and (cls != name or place == key):
            remedy = f"Name the iTop class that it is like as {key}.like; there are: {listed(classes())}"
            faults.add(place, f"iTop ships no ticket class {cls}", meant_or(cls, classes(), remedy))
    if mine is None or theirs is None:
        return None
    return ClassPair(mine, theirs, name, internal, section.attributes)


def _compile(pair: ClassPair, section: ClassSection, file: SyncFile, routes: BySide[SideRoutes], faults: Faults) -> ClassRules:
    state = compile_states(pair, section, section.rules.state or file.rules.state, faults)
    fields = _form(pair, section, file, faults)
    looked_at = {*routes.external.looked_at, *routes.internal.looked_at}
    _check_every_attribute_is_used(pair, section, fields, state.every_companion.keys() | looked_at, faults)
    first = state.internal.mandatory[state.internal.initial]
    has = pair.internal.keys | pair.internal.attributes.keys() | first
    on_create = tuple(name for name in routes.internal.names if name in has)
    if file.rules.new_tickets.allows(Side.EXTERNAL):
        check_initial(first, file.internal.defaults, faults)
        _check_not_empty(pair, fields, [name for name in file.internal.defaults if name in has], faults)
    conditions = [condition for condition in (file.scope.condition, section.scope) if condition]
    return ClassRules(
        external=pair.external_name,
        internal=pair.internal_name,
        state=state,
        fields=fields,
        logs=_logs(pair, section, file, faults),
        on_create=on_create,
        looked_at=read_for_routes(pair, (routes.external, routes.internal)),
        scope=conditions[0] if len(conditions) == 1 else " AND ".join(f"({condition})" for condition in conditions),
        since_attribute=pair.external.since_attribute,
        copy_since=pair.internal.since_attribute,
    )


def _form(pair: ClassPair, section: ClassSection, file: SyncFile, faults: Faults) -> tuple[FieldRule, ...]:
    names = _form_names(pair, file)
    _check_parts(section.rules.form, f"{pair.place}.rules.form", set(names), faults)
    rules = []
    for name in names:
        way = direction_of(name, section.rules.form, file.rules.form, Direction.TO_INTERNAL)
        rule = compile_attribute(pair, name, way, f"{pair.place}.form", faults)
        if rule is not None and way is not Direction.NEVER:
            rules.append(rule)
    _check_targets(pair, rules, faults)
    return tuple(rules)


def _check_targets(pair: ClassPair, rules: Sequence[FieldRule], faults: Faults) -> None:
    taken: dict[str, str] = {}
    for rule in rules:
        other = taken.setdefault(rule.internal, rule.external)
        if other != rule.external:
            key = f"{pair.place}.attributes.{rule.external}.internal"
            faults.add(key, f"{other} is written to {rule.internal} as well", "Give each its own, or remove one from the form")


def _check_every_attribute_is_used(
    pair: ClassPair, section: ClassSection, fields: Sequence[FieldRule], besides: set[str], faults: Faults
) -> None:
    used = {rule.external for rule in fields} | besides | set(section.form or pair.external.form)
    used |= {name for names in section.companions.values() for name in names}
    for name in section.attributes:
        if name not in used:
            remedy = meant_or(name, used, f"Add it to {pair.place}.form, or remove it")
            what = f"{name} is not carried with the form or with a state, and no route looks at it"
            faults.add(f"{pair.place}.attributes.{name}", what, remedy)


def _check_not_empty(pair: ClassPair, fields: Sequence[FieldRule], on_create: Sequence[str], faults: Faults) -> None:
    carried = {rule.internal for rule in fields if rule.direction.allows(Side.EXTERNAL)}
    lacking = [name for name in _NEVER_EMPTY if name not in carried and name not in on_create]
    if lacking and not any(faults.any_below(f"{pair.place}.{key}") for key in ("form", "attributes")):
        what = f"a new {pair.internal_name} would have no {' and no '.join(lacking)}, which iTop demands"
        faults.add(f"{pair.place}.form", what, "Carry it to internal, or give it a value in internal.defaults")


def _logs(pair: ClassPair, section: ClassSection, file: SyncFile, faults: Faults) -> tuple[LogRule, ...]:
    if section.logs is None:
        given = [log for log in file.logs if log.external in pair.external.logs and log.internal in pair.internal.logs]
        if not given and not faults.known("logs"):
            what = f"{pair.external_name} has none of the logs that are paired in [[logs]]"
            faults.add(f"{pair.place}.logs", what, f"Pair one of its own logs there: {listed(pair.external.logs)}")
    else:
        given = list(section.logs)
        _check_own_logs(pair, given, faults)
    own, common = section.rules.notes, file.rules.notes
    _check_parts(own, f"{pair.place}.rules.notes", {log.external for log in given}, faults)
    return tuple(LogRule(log.external, log.internal, direction_of(log.external, own, common, Direction.BOTH)) for log in given)


def _check_own_logs(pair: ClassPair, logs: Sequence[LogSection], faults: Faults) -> None:
    key = f"{pair.place}.logs"
    if not logs:
        faults.add(key, "a copy is recognised by an entry of its first log, and there is none", "Pair at least one log")
    _check_once(logs, key, faults)
    for log in logs:
        for name, cls in ((log.external, pair.external), (log.internal, pair.internal)):
            guess = meant(name, cls.logs)
            if name in cls.attributes or name in cls.keys:
                faults.add(key, f"{name} is not a case log", f"There are {listed(cls.logs)}")
            elif name not in cls.logs and guess.startswith("Did"):
                faults.add(key, f"{cls.name} has no case log {name}", guess)


def _check_logs(logs: Sequence[LogSection], pairs: Sequence[ClassPair], faults: Faults) -> None:
    """Check the logs that are paired for all classes: there must be some, and each must exist in at least one class."""
    _check_once(logs, "logs", faults)
    for log in logs:
        for name, found in ((log.external, [pair.external for pair in pairs]), (log.internal, [pair.internal for pair in pairs])):
            known = {case_log for cls in found for case_log in cls.logs}
            if found and name not in known:
                faults.add("logs", f"no synced class has a case log {name}", meant(name, known))
    if not logs:
        faults.add("logs", "a copy is recognised by an entry of its first log, and there is none", "Pair at least one log")


def _check_once(logs: Sequence[LogSection], key: str, faults: Faults) -> None:
    for names in ([log.external for log in logs], [log.internal for log in logs]):
        if len(set(names)) < len(names):
            faults.add(key, "one log is paired twice", "Pair each log once")
