"""Simulated servers, each in a process of its own, with iTop's measured latencies; reached over HTTP like any iTop."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from itopsync.simulator import Latency, SimRequest, SimResponse, Simulator, Snapshot

P = ParamSpec("P")
T = TypeVar("T")

USERNAME, PASSWORD = "sync", "sync-password"
_NOW: list[datetime] = []
"""What the clock shows, once it was stopped."""
_SNAPSHOTS: dict[str, Snapshot] = {}


class Host:
    """A simulated iTop in another process. A context manager."""

    def __init__(self, timezone: str, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, timezone, seed), daemon=True)
        self._process.start()
        self.url: str = self._ours.recv()

    def do(self, work: Callable[Concatenate[Simulator, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """Have *work*, a function of a module, done with the simulator over there."""
        self._ours.send((work, arguments, named))
        done, result = self._ours.recv()
        if not done:
            raise RuntimeError(result)
        return cast("T", result)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.send(None)
        self._process.join(10)
        self._ours.close()


def _serve(pipe: Connection, timezone: str, seed: int) -> None:
    simulator = Simulator(timezone=timezone, clock=_clock, chance=random.Random(seed))
    with simulator.serve() as url:
        pipe.send(url)
        while (asked := pipe.recv()) is not None:
            work, arguments, named = asked
            try:
                pipe.send((True, work(simulator, *arguments, **named)))
            except Exception as error:  # it is told over there
                pipe.send((False, repr(error)))


# What is done over there


def slow(simulator: Simulator, *, on: bool = True) -> None:
    """Be as slow as iTop, or as quick as can be."""
    simulator.latency = Latency() if on else None


def keep(simulator: Simulator, name: str) -> None:
    """Remember what there is."""
    _SNAPSHOTS[name] = simulator.snapshot()


def put_back(simulator: Simulator, name: str) -> None:
    """Make it what it was."""
    simulator.restore(_SNAPSHOTS[name])


def counts(simulator: Simulator) -> dict[str, int]:
    """How often each verb was asked for, in all."""
    found: dict[str, int] = {}
    for (verb, _), count in list(simulator.requests.counts.items()):
        found[verb] = found.get(verb, 0) + count
    return found


def cpu(_: Simulator) -> float:
    """Seconds of processor time that the server took so far."""
    times = os.times()
    return times.user + times.system


def tickets(simulator: Simulator) -> int:
    """How many tickets there are."""
    return sum(1 for _ in simulator.store.rows("Ticket"))


def attachments(simulator: Simulator) -> int:
    """How many attachments there are."""
    return sum(1 for _ in simulator.store.rows("Attachment"))


def set_clock(simulator: Simulator, now: datetime) -> None:
    """Stop the server's clock at this time."""
    del simulator
    _NOW[:] = [now]


def _clock() -> datetime:
    return _NOW[0] if _NOW else datetime.now(UTC)


def cut_off(simulator: Simulator, *, on: bool) -> None:
    """Answer nobody, or everybody again."""
    simulator.maintenance = on


def highest(simulator: Simulator) -> int:
    """The highest id of a ticket or an attachment."""
    return max((int(row["id"]) for name in ("Ticket", "Attachment") for row in simulator.store.rows(name)), default=0)


def count_marks(simulator: Simulator, pattern: str) -> Counter[str]:
    """How often what fits *pattern* stands in the private logs of all tickets."""
    fits = re.compile(pattern)
    return Counter(
        mark
        for row in simulator.store.rows("Ticket")
        for entry in row["private_log"].entries
        for mark in fits.findall(entry.text)
    )


def open_tickets(
    simulator: Simulator, count: int, notes: int = 0, file: bytes | None = None, *, pictures: str = "", closed: bool = False
) -> list[int]:
    """Let customers open tickets, each with so many entries and one file; *pictures* stands in one of the entries."""
    agent = simulator.agent("agent")
    numbers = []
    for place in range(count):
        number = agent.create("UserRequest", title=f"Printer {place}", service_id=1, description="<p>It blinks.</p>")
        for entry in range(notes):
            shown = pictures if entry == place % notes else ""
            agent.note("UserRequest", number, f"<p>Entry {entry} of {place}: it still blinks, and beeps now and then.</p>{shown}")
        if file is not None:
            agent.attach("UserRequest", number, "a.txt", "text/plain", file)
        numbers.append(number)
    if closed:
        close_tickets(simulator, numbers)
    return numbers


def close_tickets(simulator: Simulator, numbers: list[int]) -> None:
    """Let agents see these tickets through to their end."""
    agent = simulator.agent("agent")
    for number in numbers:
        agent.stimulus("UserRequest", number, "ev_assign", team_id=39, agent_id=9)
        solved = {"solution": "<p>Done.</p>", "resolution_code": "assistance", "service_id": 1}
        agent.stimulus("UserRequest", number, "ev_resolve", **solved)
        agent.stimulus("UserRequest", number, "ev_close", user_satisfaction="1")


def add_notes(simulator: Simulator, numbers: list[int], text: str) -> None:
    """Let somebody write an entry into each of these tickets."""
    agent = simulator.agent("agent")
    for number in numbers:
        agent.note("UserRequest", number, text)


def change_all(simulator: Simulator, number: int) -> None:
    """Change two fields, write a note and change the state."""
    agent = simulator.agent("agent")
    agent.update("UserRequest", number, urgency="1", title="Worse", private_log="<p>See here</p>")
    agent.stimulus("UserRequest", number, "ev_assign", team_id=39, agent_id=9)


def delete_attachment(simulator: Simulator, place: int) -> int:
    """Delete the attachment at a place among all; return its id."""
    number = sorted(row["id"] for row in simulator.store.rows("Attachment"))[place]
    simulator.agent("agent").delete_attachment(number)
    return int(number)


def multiply_last(simulator: Simulator, count: int, first: int, version: str) -> None:
    """Put in so many copies of the latest ticket and its attachment, as a database would hold them, with ids from *first* on."""
    row = max(simulator.store.rows("UserRequest"), key=lambda ticket: int(ticket["id"]))
    attached = simulator.store.find("Attachment", ("item_class", "item_id"), ("UserRequest", row["id"]))[0]
    for number in range(first, first + count):
        simulator.store.put({**row, "id": number, "ref": f"R-{number:06d}", "last_update": version})
        simulator.store.put({**attached, "id": number, "item_id": number, "creation_date": version})


def age(simulator: Simulator, version: str) -> None:
    """Let all tickets have been changed long ago."""
    for row in list(simulator.store.rows("Ticket")):
        simulator.store.put({**row, "last_update": version})


def change_some(simulator: Simulator, numbers: list[int], every: float, rounds: int) -> dict[str, float]:
    """Write an entry into one ticket or another every so many seconds; return when each was saved, by its mark.

    Some tickets get two at once, others none for long.
    """
    agent, chosen, started = simulator.agent("agent"), random.Random(1), time.time()
    saved = {}
    for place in range(rounds):
        time.sleep(max(0, started + place * every - time.time()))
        mark = f"mark-{place}-"
        agent.note("UserRequest", chosen.choice(numbers), f"<p>{mark}</p>")
        saved[mark] = time.time()
    return saved


_SEEN: list[bytes] = []
_ARRIVED: dict[str, float] = {}
_MARK = re.compile(rb"mark-\d+-")


def listen(simulator: Simulator) -> None:
    """From now on, remember what is asked, and when which mark arrives."""

    def hear(request: SimRequest, answer: SimResponse) -> None:
        if len(request.body) < 1_000_000:
            _SEEN.append(request.body)
            if b"add_item" in request.body:
                for mark in _MARK.findall(request.body):
                    _ARRIVED.setdefault(mark.decode(), time.time() + answer.delay)

    simulator.listeners.append(hear)


def heard(_: Simulator) -> list[dict[str, Any]]:
    """What was asked since the last time."""
    asked = []
    for body in _SEEN:
        begin = body.index(b"\r\n\r\n", body.index(b'name="json_data"')) + 4
        asked.append(json.loads(body[begin : body.index(b"\r\n--", begin)]))
    _SEEN.clear()
    return asked


def arrived(_: Simulator) -> dict[str, float]:
    """When which mark arrived."""
    return dict(_ARRIVED)
