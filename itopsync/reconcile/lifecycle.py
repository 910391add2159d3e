"""Ways through a lifecycle: the stimuli that lead from one state to another with the fewest side effects.

A way never leads through a decision that nobody took (approved, rejected, validated …), through a state that a timer
enters, or through *resolved* unless it goes on to an end such as *closed*.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from itopsync.reconcile.rules import Lifecycle

_LAST_RESORT = 10
"""How many ordinary stimuli a stimulus of last resort counts as."""


@dataclass(frozen=True)
class Step:
    """One stimulus, and the state it leads to."""

    stimulus: str
    state: str


def way(lifecycle: Lifecycle, start: str, target: str, taken: frozenset[str]) -> tuple[Step, ...] | None:
    """Return the way from *start* to *target*: empty if they are the same, None if no way is allowed.

    *taken*: the decisions known to have been taken on the other side; the way may lead through these.
    """
    queue: list[tuple[int, int, str, tuple[Step, ...]]] = [(0, 0, start, ())]
    done: set[str] = set()
    order = 0
    while queue:
        cost, _, state, steps = heapq.heappop(queue)
        if state == target:
            return steps
        if state in done:
            continue
        done.add(state)
        for stimulus, following in sorted(lifecycle.transitions.get(state, {}).items()):
            if (state, stimulus) in lifecycle.broken or following in done:
                continue
            if following != target and not _may_pass(lifecycle, following, target, taken):
                continue
            order += 1
            price = _LAST_RESORT if stimulus in lifecycle.last_resort else 1
            heapq.heappush(queue, (cost + price, order, following, (*steps, Step(stimulus, following))))
    return None


def is_terminal(lifecycle: Lifecycle, state: str) -> bool:
    """Whether nothing leads out of *state*."""
    return not lifecycle.transitions.get(state)


def unavoidable_decisions(lifecycle: Lifecycle, start: str, current: str) -> frozenset[str]:
    """The decisions that a ticket must have passed to get from *start* to *current*."""
    return frozenset(
        decision
        for decision in lifecycle.decisions - {start, current}
        if not _leads_to(lifecycle, start, current, without=decision)
    )


def is_past(lifecycle: Lifecycle, start: str, state: str, current: str) -> bool:
    """Whether a ticket must have been at *state* to get from *start* to *current*, and nothing leads it back there."""
    came = _leads_to(lifecycle, start, current) and not _leads_to(lifecycle, start, current, without=state)
    return came and not _leads_to(lifecycle, current, state)


def _may_pass(lifecycle: Lifecycle, state: str, target: str, taken: frozenset[str]) -> bool:
    if state in lifecycle.timers or (state in lifecycle.decisions and state not in taken):
        return False
    return state not in lifecycle.settled or is_terminal(lifecycle, target)


def _leads_to(lifecycle: Lifecycle, start: str, target: str, *, without: str = "") -> bool:
    seen: set[str] = set()

    def reachable(state: str) -> Iterator[str]:
        seen.add(state)
        yield state
        for following in lifecycle.transitions.get(state, {}).values():
            if following not in seen and following != without:
                yield from reachable(following)

    return target in reachable(start)
