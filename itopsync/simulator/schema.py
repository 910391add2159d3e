"""The simulator's data model: classes, attributes, lifecycles.

It comes from ``data/model.json``, which was derived from the data model of iTop 3.2.0 (ITIL modules); ``version_model.py``
converts it to that of another version. This module adds what iTop adds to every class: inherited attributes, ``finalclass``,
``friendlyname`` and the three attributes that accompany each external key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

from itopsync.simulator import version_model
from itopsync.simulator.versions import DEFAULT, VERSIONS, Version

AttributeType = Literal[
    "string", "text", "html", "enum", "metaenum", "extkey", "extfield", "datetime", "date", "int", "duration",
    "caselog", "linkset", "stopwatch", "subitem", "blob", "objectkey", "finalclass", "friendlyname",
    "recall", "obsolescence",
]  # fmt: skip
ChangeManagement = Literal["itil", "simple"]

#: Attribute types that a client cannot set; iTop computes them.
COMPUTED: frozenset[str] = frozenset(
    {"extfield", "metaenum", "subitem", "finalclass", "friendlyname", "recall", "obsolescence", "stopwatch"}
)
#: Attribute types held as integers.
INTEGRAL: frozenset[str] = frozenset({"extkey", "objectkey", "int", "duration"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a class.

    For an external field (or friendly name, recall, obsolescence flag), ``key`` and ``field`` name the external key that it
    follows and the attribute that it shows. ``label`` is the English label, which refusals contain.
    """

    code: str
    type: AttributeType
    label: str
    null: bool = True
    default: str = ""
    values: tuple[str, ...] = ()
    target: str = ""
    key: str = ""
    field: str = ""
    item: str = ""
    linked: str = ""
    mine: str = ""
    hierarchical: bool = False

    @property
    def writable(self) -> bool:
        return self.type not in COMPUTED

    @property
    def stored(self) -> bool:
        """Whether rows store a value for it."""
        return self.type not in COMPUTED and self.type != "linkset"

    @property
    def integral(self) -> bool:
        return self.type in INTEGRAL


@dataclass(frozen=True, slots=True)
class Transition:
    """A stimulus's target state, and the actions (verb, parameters) that iTop runs on the way."""

    target: str
    actions: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class LifecycleState:
    """A state: the attributes that must be filled on entering it, in iTop's order, and its transitions."""

    mandatory: tuple[str, ...]
    transitions: Mapping[str, Transition]


@dataclass(slots=True)
class ItopClass:
    """One class of the data model, including everything that it inherits."""

    name: str
    parent: str | None
    abstract: bool
    naming: tuple[str, ...]
    order: tuple[tuple[str, bool], ...]
    obsolescence: bool
    administrators_only: bool
    ref_prefix: str
    attributes: dict[str, Attribute] = field(default_factory=dict)
    lifecycle: dict[str, LifecycleState] = field(default_factory=dict)
    stimuli: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    lineage: tuple[str, ...] = ()
    family: frozenset[str] = frozenset()
    organization_attribute: str | None = None

    @property
    def root(self) -> str:
        return self.lineage[-1]

    @property
    def logs(self) -> list[str]:
        return [code for code, attribute in self.attributes.items() if attribute.type == "caselog"]


class Schema:
    """All classes of one simulated server.

    ``change_management`` chooses between two modules that exclude each other on a real server: ``itil`` (NormalChange,
    RoutineChange, EmergencyChange below an abstract Change) and ``simple`` (only a Change). ``traits`` describes the version's
    other differences.
    """

    def __init__(self, change_management: ChangeManagement, problem_management: bool, version: Version) -> None:
        raw = json.loads(resources.files(__package__).joinpath("data/model.json").read_text("utf-8"))
        self.traits = VERSIONS[version]
        version_model.adapt(raw, version)
        declared: dict[str, Any] = raw["classes"]
        if change_management == "simple":
            for name in ("Change", "ApprovedChange", "NormalChange", "RoutineChange", "EmergencyChange"):
                declared.pop(name)
            declared["Change"] = raw["alternatives"]["Change"]
        if not problem_management:
            declared.pop("Problem")
        self.priorities: dict[str, dict[str, str]] = raw["priority"]
        self._classes: dict[str, ItopClass] = {}
        for name in declared:
            self._build(name, declared)
        for itop_class in self._classes.values():
            self._complete(itop_class)

    def __contains__(self, name: object) -> bool:
        return name in self._classes

    def __getitem__(self, name: str) -> ItopClass:
        return self._classes[name]

    def get(self, name: str) -> ItopClass | None:
        return self._classes.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def roots(self) -> set[str]:
        return {itop_class.root for itop_class in self._classes.values()}

    def common_ancestor(self, names: list[str]) -> str | None:
        """The closest class that all of ``names`` descend from, or None."""
        for candidate in self._classes[names[0]].lineage:
            if all(candidate in self._classes[name].lineage for name in names):
                return candidate
        return None

    def _build(self, name: str, declared: dict[str, Any]) -> ItopClass:
        if name in self._classes:
            return self._classes[name]
        raw = declared[name]
        parent = self._build(raw["parent"], declared) if raw["parent"] else None
        own = {}
        for item in raw["fields"]:
            if item.get("needs") and item["needs"] not in declared:
                continue
            values = dict(item)
            values.pop("needs", None)
            values["values"] = tuple(values.get("values", ()))
            values.setdefault("label", item["code"])
            own[item["code"]] = Attribute(**values)
        result = ItopClass(
            name=name,
            parent=raw["parent"],
            abstract=raw["abstract"],
            naming=tuple(raw["naming"]),
            order=tuple((code, ascending) for code, ascending in raw.get("order", ())),
            obsolescence=raw["obsolescence"] or (parent is not None and parent.obsolescence),
            administrators_only=raw.get("readable") == "admin",
            ref_prefix=raw.get("ref_prefix") or (parent.ref_prefix if parent else ""),
            attributes={**(parent.attributes if parent else {}), **own},
            stimuli=tuple(raw.get("stimuli", ())),
            meta=raw.get("meta") or (parent.meta if parent else {}),
            lineage=(name, *(parent.lineage if parent else ())),
        )
        for state, spec in raw.get("lifecycle", {}).items():
            result.lifecycle[state] = LifecycleState(
                tuple(spec["mandatory"]),
                {
                    stimulus: Transition(step["target"], tuple(tuple(action) for action in step["actions"]))
                    for stimulus, step in spec["transitions"].items()
                },
            )
        if name == "Organization":
            result.organization_attribute = "id"
        else:
            result.organization_attribute = next((code for code in ("org_id", "item_org_id") if code in result.attributes), None)
        self._classes[name] = result
        return result

    def _complete(self, itop_class: ItopClass) -> None:
        """Add what iTop adds to every class, in the order in which ``*`` shows it."""
        name = itop_class.name
        itop_class.family = frozenset(other for other, candidate in self._classes.items() if name in candidate.lineage)
        extra: list[Attribute] = []
        root_family = [other for other in self._classes.values() if other.root == itop_class.root]
        if len(root_family) > 1:
            extra.append(Attribute("finalclass", "finalclass", "Class"))
        extra.append(Attribute("friendlyname", "friendlyname", "Full name"))
        if itop_class.obsolescence:
            extra.append(Attribute("obsolescence_flag", "obsolescence", "Obsolete"))
        for code, attribute in itop_class.attributes.items():
            if attribute.type not in ("extkey", "extfield") or not attribute.target:
                continue  # an external field that shows a key counts as one
            target = self._classes.get(attribute.target)
            extra.append(Attribute(f"{code}_friendlyname", "friendlyname", attribute.label, key=code))
            if target is None:
                continue
            if any(other.parent == target.name for other in self._classes.values()):
                extra.append(Attribute(f"{code}_finalclass_recall", "recall", attribute.label, key=code))
            if target.obsolescence:
                extra.append(Attribute(f"{code}_obsolescence_flag", "obsolescence", attribute.label, key=code))
        itop_class.attributes = dict(itop_class.attributes)
        for attribute in extra:
            itop_class.attributes[attribute.code] = attribute


@cache
def schema(change_management: ChangeManagement = "itil", problem_management: bool = True, version: Version = DEFAULT) -> Schema:
    """The schema, which never changes and is built once for each combination."""
    return Schema(change_management, problem_management, version)
