"""Asks about one iTop server itself: whether it answers, our account and its rights, its version; and runs any query."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import unescape
from http import HTTPStatus
from types import TracebackType
from typing import Self

from itopsync.errors import AccessRefused, BadQuery, RemoteError, TooLarge, Unreachable
from itopsync.itop import oql
from itopsync.itop.answers import Call, judge_broken
from itopsync.itop.caller import Caller, CallRecord, Guard
from itopsync.itop.connection import Answer, Broken, Transport
from itopsync.itop.dates import Clock
from itopsync.itop.piecewise import NO_ID
from itopsync.itop.rows import Rows
from itopsync.itop.settings import ServerSettings
from itopsync.model import Side

NO_SUCH_ATTRIBUTE = "itopsync-no-such-attribute"
POINTS_TO = re.compile(r"which is pointing to (\w{1,80})")
NO_KEY = "Unknown key in join condition"
NO_CLASS = "is not a valid class"
HIGHEST_ID = NO_ID + 1
"""The highest of iTop's keys, which are MySQL's signed integers."""
PAGE = "pages/opensearch.xml.php"
"""A short page for browsers, served without a login, that contains iTop's own address."""
ADDRESS = re.compile(rb"""(?:template="|SearchForm>)(https?://[^"'<>\s]{1,2000}?)/*/pages/UI\.php""")
OLDEST = "2.7"
FIRST_WITH = (
    ("3.2", "lnkActionNotificationToContact"),
    ("3.1", "TriggerOnAttributeBlobDownload"),
    ("3.0", "TriggerOnObjectMention"),
)
"""The classes that each version introduced, newest first: iTop's REST services do not report its version.

Versions after 3.2 are not distinguished from it. Taken from the data models of 2.7.9, 3.0.4, 3.1.2 and 3.2.0, and tested on real
servers of 2.7.11, 3.0.4, 3.1.2 and 3.2.0.
"""


class Inquiry:
    """The part of :class:`~itopsync.itop.server.Server` that is not about tickets. A request is sent up to ``read_tries`` times.

    *on_call* is called after each exchange. *probe*, for tests that crash there, is called with ``before:<verb>`` before each
    exchange and ``after:<verb>`` after each response. *guard* is called before each exchange, with whether it writes; if it
    raises, nothing is sent, and the caller gets the exception.

    :raises ValueError: on construction, if ``date_format`` is not usable
    :raises OSError: on construction, if ``ca_file`` cannot be read
    """

    def __init__(
        self,
        settings: ServerSettings,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_call: Callable[[CallRecord], None] | None = None,
        probe: Callable[[str], None] | None = None,
        *,
        guard: Guard | None = None,
    ) -> None:
        self.settings = settings
        self.clock = Clock(settings.side, settings.timezone, settings.date_format)
        self._caller = Caller(settings, transport, sleep, on_call, probe, guard=guard)
        self._version: str | None = None

    @property
    def side(self) -> Side:
        return self.settings.side

    @property
    def refused_bytes(self) -> int | None:
        """The size of the smallest request so far that the server found too large; None if there was none."""
        return self._caller.refused_bytes

    def close(self) -> None:
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # The server

    def check_login(self) -> None:
        """Check that the server answers and accepts our login."""
        self._caller.run(Call(self.side, "list_operations"), {})

    def own_address(self) -> str:
        """Return what the server calls itself, without a trailing slash; ``""`` if it does not say.

        That is the ``app_root_url`` of its configuration, with which every address that it writes begins.
        """
        return self._caller.download(Call(self.side, "opensearch"), PAGE, {}, _judge_address)

    def account(self, known: str | None = None) -> str:
        """Return the id of our account, as log entries and attachments show it: in two calls if it is still *known*, otherwise
        in about a dozen.

        Reading the class of accounts requires an administrator's rights, but a query can compare numbers with one's own id.

        :raises BadQuery: the server does not support this comparison, or shows us no organisation to count
        """
        if known and self._account_is_at_least(int(known)) and not self._account_is_at_least(int(known) + 1):
            return known
        low, high = 0, 1
        while high < HIGHEST_ID and self._account_is_at_least(high):
            low, high = high, high * 2
        if not low or high == HIGHEST_ID:
            raise BadQuery(
                self.side, "does not tell our own account's id. Check that the account may read the class Organization"
            )
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._account_is_at_least(middle) else (low, middle)
        return str(low)

    def _account_is_at_least(self, number: int) -> bool:
        return self.count("Organization", f"SELECT Organization WHERE :current_user->id >= {number}") > 0

    def version(self) -> str:
        """Return the version of iTop: ``2.7`` (or older), ``3.0``, ``3.1`` or ``3.2`` (or newer). It is determined once."""
        if self._version is None:
            newest = (version for version, cls in FIRST_WITH if self._knows(cls))
            self._version = next(newest, OLDEST)
        return self._version

    def _knows(self, cls: str) -> bool:
        try:
            self.count(cls, f"SELECT {cls} WHERE id = 0")
        except AccessRefused:
            return True
        except BadQuery as error:
            if NO_CLASS not in str(error):
                raise
            return False
        return True

    def may_create(self, cls: str) -> bool:
        """Return whether the account may create and change objects of *cls* at this moment. Writes nothing.

        It sends a create with an unknown attribute: iTop checks the rights before the attributes.

        :raises BadQuery: there is no such class
        """
        try:
            self._may("core/create", cls, {"fields": {NO_SUCH_ATTRIBUTE: ""}})
        except BadQuery as error:
            if NO_SUCH_ATTRIBUTE not in str(error):
                raise
        except AccessRefused:
            return False
        return True

    def may_delete(self, cls: str) -> bool:
        """Return whether the account may delete objects of *cls* at this moment. Deletes nothing.

        :raises BadQuery: there is no such class
        """
        try:
            self._may("core/delete", cls, {"key": 0, "simulate": True})
        except AccessRefused:
            return False
        return True

    def key_class(self, cls: str, name: str) -> str | None:
        """Return the class that an attribute of *cls* points to, or ``None`` if it is not an external key.

        iTop names that class when it refuses to join another.

        :raises BadQuery: there is no class *cls*
        """
        query = f"SELECT {oql.name(cls)} AS this JOIN {oql.name(cls)} AS other ON this.{oql.name(name)} = other.id"
        try:
            self.count(cls, query)
        except BadQuery as error:
            if found := POINTS_TO.search(str(error)):
                return found[1]
            if NO_KEY not in str(error):
                raise
            return None
        return cls

    def _may(self, verb: str, cls: str, parameters: Mapping[str, object]) -> None:
        common = {"comment": self.settings.comment, "class": cls, "output_fields": "id"}
        self._caller.run(Call(self.side, verb, cls), {**common, **parameters})

    # Queries

    def get(self, cls: str, oql_or_id: str | int, attributes: Sequence[str], limit: int | None = None) -> Rows:
        """Return the objects of a class that a query finds, or the one with an id, with *attributes* as iTop shows them.

        They are in no particular order. ``Rows.found`` counts all matches, even beyond *limit*.

        :raises BadQuery: the query, the class or an attribute is not valid
        """
        try:
            document = self._caller.run(self._get_call(cls, oql_or_id), parameters_of_get(cls, oql_or_id, attributes, limit))
        except TooLarge as error:
            what = str(error).removeprefix(f"{self.side}: ")
            raise Unreachable(self.side, f"{what}. A larger limits.file_size allows longer answers") from None
        found = document.counted
        if found is None or document.at is None:
            raise Unreachable(self.side, "gave an answer without a count or without a Date header: something between alters it")
        return Rows(found, document.rows, document.at)

    def count(self, cls: str, query: str) -> int:
        """Return how many objects *query* finds, at the cost of one row."""
        return self.get(cls, query, ("id",), limit=1).found

    def _get_call(self, cls: str, key: str | int) -> Call:
        return Call(self.side, "core/get", cls, key if isinstance(key, int) else None)


def parameters_of_get(cls: str, key: str | int, names: Iterable[str], limit: int | None) -> dict[str, object]:
    """The parameters of ``core/get``."""
    parameters: dict[str, object] = {"class": cls, "key": key, "output_fields": ",".join(names)}
    return parameters if limit is None else {**parameters, "limit": limit}


def _judge_address(call: Call, reply: Answer | Broken) -> str | RemoteError:
    """Return the address without a trailing slash, ``""`` if there is no such page, or the error (not raised)."""
    if isinstance(reply, Broken):
        return judge_broken(call, reply)
    found = ADDRESS.search(reply.body) if reply.status == HTTPStatus.OK else None
    return unescape(found[1].decode(errors="replace")) if found else ""
