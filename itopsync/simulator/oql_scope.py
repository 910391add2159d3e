"""Resolves names in a query: its aliases and their attributes."""

from __future__ import annotations

from collections.abc import Iterable

from itopsync.simulator import oql_syntax as syntax
from itopsync.simulator.oql_syntax import OqlError
from itopsync.simulator.refusals import failed_query
from itopsync.simulator.schema import Attribute, ItopClass, Schema


class Scope:
    """The aliases of one SELECT, numbered in order of appearance.

    In a sub-select, iTop also looks for a name among the aliases of the ``outer`` query, although the database could not use
    them, and refuses a name that both have.
    """

    def __init__(self, schema: Schema, text: str, outer: Scope | None = None) -> None:
        self.schema = schema
        self.aliases: dict[str, int] = {}
        self.classes: list[ItopClass] = []
        self._text = text if outer is None else ""
        self._outer = {} if outer is None else outer.visible

    @property
    def visible(self) -> dict[str, ItopClass]:
        """Every alias that a name may mean, with its class."""
        return {alias: self.classes[place] for alias, place in self.aliases.items()} | {
            alias: itop_class for alias, itop_class in self._outer.items() if alias not in self.aliases
        }

    def add(self, class_name: syntax.Name, alias: syntax.Name) -> int:
        """Add an alias; return its number."""
        if class_name.text not in self.schema:
            kind, issue, expecting = "UnknownClassOqlException", "Unknown class", tuple(self.schema)
            raise OqlError(kind, issue, class_name.text, class_name.position, self._text, expecting=expecting)
        if alias.text in self.aliases:
            raise self.refused("Duplicate class alias", alias)
        self.aliases[alias.text] = len(self.classes)
        self.classes.append(self.schema[class_name.text])
        return len(self.classes) - 1

    def refused(self, issue: str, name: syntax.Name, expecting: Iterable[str] = ()) -> OqlError:
        """A refusal that points to a name."""
        kind = "OqlNormalizeException"
        return OqlError(kind, issue, name.text, name.position, self._text, expecting=tuple(expecting))

    def resolve(self, field: syntax.Field) -> tuple[int, Attribute | None]:
        """The alias and attribute that a field means; the attribute is None for ``id``."""
        code, visible = field.name.text, self.visible
        if field.alias is not None:
            alias = field.alias.text
            if alias not in visible:
                raise self.refused("Unknown class [alias]", field.alias, visible)
            if not _has(visible[alias], code):
                raise self.refused("Unknown filter code", field.name, _codes(visible[alias]))
        else:
            having = [alias for alias, itop_class in visible.items() if _has(itop_class, code)]
            if not having:
                raise self.refused("Unknown filter code", field.name, _codes(self.classes[0]))
            if len(having) > 1:
                raise self.refused("Ambiguous filter code", field.name)
            alias = having[0]
        if alias not in self.aliases:
            raise failed_query(1054, f"Unknown column '{alias}.{code}' in 'where clause'")
        return self.aliases[alias], visible[alias].attributes.get(code)

    def is_first(self, field: syntax.Field) -> bool:
        """Whether the field belongs to the class that the SELECT searches."""
        return self.resolve(field)[0] == 0


def _has(itop_class: ItopClass, code: str) -> bool:
    return code == "id" or code in itop_class.attributes


def _codes(itop_class: ItopClass) -> tuple[str, ...]:
    return (*(code for code, known in itop_class.attributes.items() if known.type != "linkset"), "id")
