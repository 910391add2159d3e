"""Every question that a cycle asks is answered from an index, so that a cycle does not grow with all that ever was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from itopsync.model import Side
from itopsync.store.partial import metadata
from itopsync.store.records import CycleRecord, Holder
from itopsync.store.store import Store
from tests.store.making import MINUTE, NOW, add_linked, carried, external, internal, poll, sighting

HOLDER = Holder("here", "boot", 1, "1", "one")


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with something in it, on each database."""
    for number in range(1, 20):
        add_linked(store, external(number), internal(number), files=(carried(Side.EXTERNAL, number, 100 + number),))
    store.begin_write(2, NOW, "write")
    return store


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database meanwhile."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:
        sent.append((statement, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "due": lambda store: store.due(NOW, 10),
    "due_counts": lambda store: store.due_counts(NOW),
    "links": lambda store: store.links([1, 2]),
    "link_of": lambda store: (store.link_of(external(1)), store.link_of(internal(1))),
    "find": lambda store: (store.find("1"), store.find("R-000001"), store.find("UserRequest:1")),
    "save": lambda store: store.save(replace(store.links([1])[0], files=()), now=NOW, live=True),
    "begin_write": lambda store: store.begin_write(1, NOW, "create", loaded=store.links([1])[0], saved=store.links([1])[0]),
    "join": lambda store: store.join(replace(store.links([1])[0], external=external(70), internal=internal(70)), NOW),
    "amend": lambda store: store.amend(1, lambda link: link, NOW),
    "recover": lambda store: store.recover(NOW, NOW),
    "mark_due": lambda store: store.mark_due([1, 2], NOW, now=NOW),
    "troubled": lambda store: store.troubled(10),
    "obstacle_counts": lambda store: store.obstacle_counts(),
    "side": lambda store: store.side(Side.EXTERNAL),
    "compare": lambda store: (store.compare(side, [sighting(external(1)), sighting(internal(99))]) for side in Side),
    "record_poll": lambda store: poll(
        store, versions={1: "v2"}, due={1: NOW}, new=[sighting(external(50))], ignored=[sighting(external(60))]
    ),
    "due_ids": lambda store: [
        store.due_ids(NOW, 10, since=NOW - MINUTE),
        store.due_ids(NOW, 10, before=NOW - MINUTE, after=(NOW - 2 * MINUTE, 1)),
    ],
    "files_by_ticket": lambda store: [store.files_by_ticket(side, 10, live=True, after=5) for side in Side],
    "attachments_of": lambda store: [store.attachments_of(side, "UserRequest", [1, 2]) for side in Side],
    "linked_tickets": lambda store: [store.linked_tickets(side, 10, live=True, after=5) for side in Side],
    "linked_after": lambda store: store.linked_after(0, 10),
    "links_of_attachments": lambda store: [store.links_of_attachments(side, [1, 2]) for side in Side],
    "counts": lambda store: store.counts(),
    "record_cycle": lambda store: store.record_cycle(CycleRecord(None, "poll", NOW, NOW, "well", {})),
    "cycles": lambda store: store.cycles(10),
    "prune": lambda store: store.prune(NOW),
    "lease": lambda store: (
        store.acquire_lease(HOLDER, MINUTE, NOW),
        store.acquire_lease(HOLDER, MINUTE, NOW),
        store.lease(),
    ),
    "fact": lambda store: store.fact("a"),
    "put_fact": lambda store: store.put_fact("a", "b"),
}

ONE_ROW = {"renew_lease", "release_lease", "holds_lease", "fence"}
"""By token, on a table that has one row at most."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answer_comes_from_an_index(filled: Store, question: str) -> None:
    with statements() as sent:
        answer = QUESTIONS[question](filled)
        if isinstance(answer, Iterator):
            list(answer)
    assert sent
    scans = []
    with filled.reading() as connection:
        if not filled.address.is_sqlite:  # a table as small as this one it would read whole
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN" if filled.address.is_sqlite else "EXPLAIN"
        for statement, parameters in sent:
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
                plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
                steps = [str(row.detail if filled.address.is_sqlite else row[0]) for row in plan]
                scans += [f"{step}: {statement}" for step in steps if is_scan(step)]
    assert scans == []


def is_scan(step: str) -> bool:
    """Whether a step of a plan goes through a whole table, and not along an index."""
    tables = "|".join(metadata.tables)
    return bool(re.fullmatch(rf"SCAN ({tables})", step) or re.search(rf"Seq Scan on ({tables})", step))


def test_every_question_of_a_cycle_is_asked_here() -> None:
    public = {name for name in dir(Store) if not name.startswith("_") and callable(getattr(Store, name))}
    rare = {
        "count_old",
        "old_tombstones",
        "forget_tombstones",
        "joined",
        "write_together",
        "add_links",
        "open",
        "close",
        "exists",
        "check_revision",
        "reading",
        "writing",
        "writing_unfenced",
        "put_side",
        "acquire_lease",
    }
    assert public - rare - ONE_ROW == QUESTIONS.keys()


def test_the_oldest_of_very_many_are_found_without_the_others(sqlite_url: str) -> None:
    filled = Store.open(sqlite_url)
    poll(filled, new=[sighting(external(number)) for number in range(1_000, 6_000)], now=NOW - timedelta(days=1))
    with statements() as sent:
        assert len(filled.due(NOW, 10)) == 10
    statement, parameters = next(one for one in sent if "ORDER BY link.due_at" in one[0])
    with filled.reading() as connection:
        (step,) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert step.detail == "SEARCH link USING COVERING INDEX ix_link_due (due_at<?)"  # in its order: nothing is sorted
    filled.close()
