"""Compiles the attributes of a form and the companions of states: their names, kinds and value maps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from itopsync.config.catalogue import KEPT_BY_ITOP, Attribute, TicketClass, is_of_organisation_or_people
from itopsync.config.faults import Faults
from itopsync.config.schema import AttributeSection, StatesSection
from itopsync.model import Side
from itopsync.reconcile.rules import Direction, FieldRule, Kind, check_template
from itopsync.settings.hints import listed, meant_or
from itopsync.settings.section import Wrong

_PLACES = ("value", "number")
_PEOPLE = "agent, team, organisation and caller are never carried"
_TEXTS = (Kind.TEXT, Kind.HTML)


@dataclass(frozen=True)
class ClassPair:
    """An external class and its copies' class, as iTop's own data model describes them."""

    external: TicketClass
    internal: TicketClass
    external_name: str
    internal_name: str
    sections: Mapping[str, AttributeSection]
    """The file's sections on single attributes, by external name."""

    @property
    def place(self) -> str:
        """The class's key in the file."""
        return f"classes.{self.external_name}"

    def section(self, name: str) -> AttributeSection:
        return self.sections.get(name) or AttributeSection.model_construct()

    def fits(self, name: str) -> bool:
        """Whether *name* can be carried by default: both classes have it, or its counterpart, in the same kind."""
        section = self.section(name)
        mine, theirs = self.external.attributes.get(name), self.internal.attributes.get(section.internal or name)
        if section.kind is not None or section.internal is not None:
            return True
        return mine is not None and theirs is not None and mine.kind is theirs.kind


def compile_attribute(pair: ClassPair, name: str, direction: Direction, key: str, faults: Faults) -> FieldRule | None:
    """Compile how the external attribute *name*, which *key* of the file lists, is carried; None if it cannot be."""
    section = pair.section(name)
    internal = section.internal or name
    if not _may_be_carried(pair, name, internal, key, faults):
        return None
    kind = _kind(pair, name, internal, key, faults)
    if kind is None:
        return None
    place = f"{pair.place}.attributes.{name}"
    if section.template is not None:
        _check_way_of_template(section.template, kind, direction, f"{place}.template", faults)
    if (section.to_internal or section.to_external) and kind in _TEXTS:
        what = f"{name} is a text, and value maps are for codes"
        faults.add(f"{place}.{_first_map(section)}", what, f"Remove it, or set kind = {Kind.CODE} if it is one")
        return None
    mine = pair.external.attributes.get(name)
    values = mine.values if mine is not None else ()
    back = turned_round(section, place, faults, external=values)
    return FieldRule(
        name,
        internal,
        kind,
        direction,
        section.template,
        MappingProxyType(dict(section.to_internal)),
        MappingProxyType(back),
        _limit(mine, pair.internal.attributes.get(internal)),
    )


def turned_round(
    maps: AttributeSection | StatesSection,
    place: str,
    faults: Faults,
    *,
    external: Collection[str] = (),
    internal: Collection[str] = (),
) -> dict[str, str]:
    """Return the complete map to external: the given one, completed by the inverse of the map to internal.

    *external* and *internal* are values that are carried unchanged unless a map names them. A value that several others map to
    must be named in the map back.
    """
    to_internal, to_external = maps.to_internal, maps.to_external
    back = {to: origin for origin, to in to_internal.items() if list(to_internal.values()).count(to) == 1} | dict(to_external)
    for value, origins in _several({value: value for value in external} | dict(to_internal)).items():
        if value not in to_external:
            _ambiguous(f"{place}.to_internal", value, origins, f"{place}.to_external", faults)
    for value, origins in _several({value: value for value in internal} | back).items():
        if value not in to_internal and len(set(origins) & to_external.keys()) > 0:
            _ambiguous(f"{place}.to_external", value, origins, f"{place}.to_internal", faults)
    return back


def _several(mapping: Mapping[str, str]) -> dict[str, list[str]]:
    origins: defaultdict[str, list[str]] = defaultdict(list)
    for origin, value in mapping.items():
        origins[value].append(origin)
    return {value: names for value, names in origins.items() if len(names) > 1}


def _ambiguous(key: str, value: str, origins: list[str], back: str, faults: Faults) -> None:
    what = f"{listed(origins)} all become '{value}', and the map back does not name it"
    faults.add(key, what, f"Say in {back} which of them '{value}' becomes on the way back")


def _may_be_carried(pair: ClassPair, name: str, internal: str, key: str, faults: Faults) -> bool:
    remedy = f"Remove {name} from the list"
    section = pair.section(name)
    if is_of_organisation_or_people(name) or is_of_organisation_or_people(internal):
        faults.add(key, f"{_PEOPLE}, so {name} is not either", f"{remedy}; each side has its own in its defaults")
    elif {name, internal} & KEPT_BY_ITOP:
        faults.add(key, f"iTop keeps {name} itself", remedy)
    elif name in pair.external.logs or internal in pair.internal.logs:
        faults.add(key, f"{name} is a case log", f"{remedy}, and pair it in [[logs]]")
    elif name.endswith("_id") and not section.to_internal:
        place = f"{pair.place}.attributes.{name}"
        faults.add(
            key,
            f"the ids of {name} mean nothing on the other server",
            f"Give {place} a to_internal map of ids, or {remedy.lower()}",
        )
    else:
        return True
    return False


def _kind(pair: ClassPair, name: str, internal: str, key: str, faults: Faults) -> Kind | None:
    section = pair.section(name)
    if section.kind is not None:
        return section.kind
    if name.endswith("_id"):
        return Kind.CODE
    place = f"{pair.place}.attributes.{name}"
    mine, theirs = pair.external.attributes.get(name), pair.internal.attributes.get(internal)
    if mine is None:
        _unknown(pair.external, name, key, f"Give its kind as {place}.kind", faults)
    elif theirs is None:
        where = f"{place}.internal" if section.internal else key
        _unknown(pair.internal, internal, where, f"Name its counterpart as {place}.internal", faults)
    elif mine.kind is not theirs.kind:
        what = f"{name} is {mine.kind} in {pair.external_name}, and {internal} is {theirs.kind} in {pair.internal_name}"
        faults.add(key, what, f"Remove {name} from the list, or name another counterpart as {place}.internal")
    else:
        return mine.kind
    return None


def _unknown(cls: TicketClass, name: str, key: str, remedy: str, faults: Faults) -> None:
    what = f"{cls.name} has no attribute {name} in iTop's own data model"
    faults.add(key, what, meant_or(name, cls.attributes, remedy))


def _check_way_of_template(template: str, kind: Kind, direction: Direction, key: str, faults: Faults) -> None:
    if kind not in _TEXTS:
        faults.add(key, f"a template is for texts, and this is a {kind}", "Remove it")
    elif "{value}" not in template:
        faults.add(key, "it does not contain the value", "Write {value} where it should appear")
    elif direction.allows(Side.INTERNAL):
        what = "what it adds would come back to external, since the attribute goes both ways"
        faults.add(key, what, f'Remove it, or carry the attribute "{Direction.TO_INTERNAL}" only, by the class\'s rules.form')
    else:
        try:
            check_template(template, _PLACES)
        except Wrong as wrong:
            faults.add(key, wrong.what, wrong.remedy)


def _first_map(section: AttributeSection) -> str:
    return "to_internal" if section.to_internal else "to_external"


def _limit(*attributes: Attribute | None) -> int | None:
    limits = (attribute.limit for attribute in attributes if attribute is not None)
    return min((limit for limit in limits if limit is not None), default=None)
