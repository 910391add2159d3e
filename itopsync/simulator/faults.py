"""Faults on demand: what goes wrong, how often and for whom; all counted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class FaultKind(StrEnum):
    """What can go wrong. The first groups affect requests, the last ones what people do meanwhile."""

    # The answer, or the request itself.
    LOST_BEFORE = "the connection breaks before anything is applied"
    LOST_AFTER = "the connection breaks after the request was applied"
    LANDS_LATE = "the client times out, and the request is applied later"
    SLOW = "the answer takes a while"
    HTML_500 = "a PHP error: HTTP 500 with HTML"
    HTML_200 = "a page of HTML with status 200"
    MAINTENANCE = "HTTP 503 with JSON of another shape"
    # Code 1 in its four meanings, and a huge refusal.
    INVALID_LOGIN = "the credentials are refused"
    MISSING_RIGHT = "the account lacks a right for this class"
    READ_ONLY = "the server is in read-only mode"
    TOO_LARGE = "PHP drops the form, as if it were larger than post_max_size"
    REFUSED_AFTER = "an extension fails after the commit: code 100 for what was carried out"
    HUGE_ERROR = "the database refuses, and the error quotes the whole ticket"
    ODD_ROW = "one object of an answer has another shape"
    UNDATED = "the entries of a log have no date"
    BLIND = "the account suddenly sees nothing"
    # Lost updates: iTop writes logs back without locking.
    OVERWRITES = "a person's entry, saved while this request thought, is wiped out by it"
    OVERWRITTEN = "this request's entry is wiped out by a person who read before and saves after"
    # What people do, and when it becomes visible.
    LATE_COMMIT = "a person's write becomes visible after its own second"
    LATE_UPLOAD = "an attachment takes its id now and shows later, after higher ids"
    LATE_DRAFT = "a file is a draft first and bound later"
    LOST_DRAFT = "a file stays a draft for ever"
    VANISHING_ATTACHMENT = "some attachment is deleted without a trace"


#: Faults that only make sense for requests that write.
WRITE_ONLY = frozenset({FaultKind.LANDS_LATE, FaultKind.READ_ONLY, FaultKind.REFUSED_AFTER, FaultKind.HUGE_ERROR})


@dataclass(slots=True)
class Fault:
    """One planned fault.

    It strikes, with ``probability``, requests that match ``verbs`` (``core/update`` …), ``classes`` and ``accounts`` (logins);
    it lets the first ``after`` of them pass, and strikes at most ``times`` times (None: no limit). ``applied``: whether a
    request that gets HTML is carried out nevertheless. ``seconds`` (by the simulated clock) or ``requests`` say when something
    late arrives; ``seconds`` is also the duration of SLOW.
    """

    kind: FaultKind
    probability: float = 1.0
    times: int | None = None
    after: int = 0
    verbs: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    applied: bool = False
    seconds: float = 0.0
    requests: int = 0
    #: How often it has struck, and how many requests it has examined.
    count: int = 0
    seen: int = field(default=0, repr=False)

    def concerns(self, verb: str, class_name: str, account: str) -> bool:
        return (
            (not self.verbs or verb in self.verbs)
            and (not self.classes or class_name in self.classes)
            and (not self.accounts or account in self.accounts)
        )


class FaultPlan:
    """The currently planned faults."""

    def __init__(self, chance: random.Random) -> None:
        self._random = chance
        self._faults: list[Fault] = []
        #: Strikes by kind, including those of removed faults.
        self.counts: Counter[FaultKind] = Counter()

    def add(
        self,
        kind: FaultKind,
        *,
        probability: float = 1.0,
        times: int | None = None,
        after: int = 0,
        verbs: Iterable[str] = (),
        classes: Iterable[str] = (),
        accounts: Iterable[str] = (),
        applied: bool = False,
        seconds: float = 0.0,
        requests: int = 0,
    ) -> Fault:
        """Plan a fault (see :class:`Fault`), which stays until it is used up, removed or cleared."""
        fault = Fault(
            kind, probability, times, after, frozenset(verbs), frozenset(classes), frozenset(accounts), applied,
            seconds, requests,
        )  # fmt: skip
        self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        self._faults = [other for other in self._faults if other is not fault]

    def clear(self) -> None:
        """Remove all faults, but keep the counts."""
        self._faults = []

    def __bool__(self) -> bool:
        return bool(self._faults)

    def __len__(self) -> int:
        return len(self._faults)

    def strike(self, kind: FaultKind, verb: str, class_name: str, account: str) -> Fault | None:
        """Return and count the fault of this kind that strikes now, if any."""
        for fault in self._faults:
            if fault.kind is not kind or not fault.concerns(verb, class_name, account):
                continue
            fault.seen += 1
            if fault.seen <= fault.after or (fault.times is not None and fault.count >= fault.times):
                continue
            if fault.probability < 1.0 and self._random.random() >= fault.probability:
                continue
            fault.count += 1
            self.counts[kind] += 1
            return fault
        return None

    def choose(self, count: int) -> int:
        """Return a choice among ``count`` things."""
        return self._random.randrange(count)
