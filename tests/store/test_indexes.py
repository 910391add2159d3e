"""Every question that a cycle asks is answered from an index, so that a cycle does not grow with all that ever was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from itopsync.model import Side
from itopsync.store.partial import metadata
from itopsync.store.records import Cause, CycleRecord, Holder, Lasting, RequestKind, RequestState
from itopsync.store.store import Store
from tests.store.cluster import Cluster
from tests.store.making import MINUTE, NOW, add_linked, carried, external, internal, poll, sighting
from tests.store.template import fresh

DOWN, PARKED = Lasting(Cause.DOWN, Side.EXTERNAL), Lasting(Cause.PARKED, None, 1, "state")
HOLDER = Holder("here", "boot", 1, "1", "one")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with something in it, on each database; what is done to it is undone."""
    if request.param == "sqlite":
        store = Store.open(fresh(f"sqlite:///{tmp_path_factory.mktemp('filled')}/store.sqlite"))
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        store = Store.open(cluster.new_store())
    for number in range(1, 20):
        add_linked(store, external(number), internal(number), files=(carried(Side.EXTERNAL, number, 100 + number),))
    store.links.begin_write(2, NOW)
    yield store
    store.close()


@contextmanager
def undone(store: Store) -> Iterator[None]:
    """Undo what is done meanwhile."""

    class Undo(Exception):
        pass

    with suppress(Undo), store.transaction():
        yield
        raise Undo


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


def finish_one(store: Store) -> None:
    number = store.requests.ask(RequestKind.SWEEP, "anna", NOW)
    store.requests.take(number, NOW)
    store.requests.finish(number, RequestState.DONE, "done", NOW)


def note_spells(store: Store) -> None:
    for minute, what in enumerate(([DOWN, PARKED], [DOWN], [])):
        store.spells.note(what, NOW + minute * MINUTE, NOW + minute * MINUTE)


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "links.due": lambda store: store.links.due(NOW, 10),
    "links.due_counts": lambda store: store.links.due_counts(NOW),
    "links.get": lambda store: store.links.get([1, 2]),
    "links.of": lambda store: (store.links.of(external(1)), store.links.of(internal(1))),
    "links.find": lambda store: (store.links.find("1"), store.links.find("R-000001"), store.links.find("UserRequest:1")),
    "links.save": lambda store: store.links.save(replace(store.links.get([1])[0], files=()), now=NOW, live=True),
    "links.begin_write": lambda store: store.links.begin_write(
        1, NOW, loaded=store.links.get([1])[0], saved=store.links.get([1])[0]
    ),
    "links.join": lambda store: store.links.join(
        replace(store.links.get([1])[0], external=external(70), internal=internal(70)), NOW
    ),
    "links.amend": lambda store: store.links.amend(1, lambda link: link, NOW),
    "links.recover": lambda store: store.links.recover(NOW, NOW),
    "links.mark_due": lambda store: store.links.mark_due([1, 2], NOW, now=NOW),
    "links.troubled": lambda store: store.links.troubled(10),
    "links.troubles": lambda store: store.links.troubles(),
    "polls.side": lambda store: store.polls.side(Side.EXTERNAL),
    "polls.compare": lambda store: (store.polls.compare(side, [sighting(external(1)), sighting(internal(99))]) for side in Side),
    "polls.record": lambda store: poll(
        store, versions={1: "v2"}, due={1: NOW}, new=[sighting(external(50))], ignored=[sighting(external(60))]
    ),
    "links.due_ids": lambda store: [
        store.links.due_ids(NOW, 10, since=NOW - MINUTE),
        store.links.due_ids(NOW, 10, before=NOW - MINUTE, after=(NOW - 2 * MINUTE, 1)),
    ],
    "attachments.by_ticket": lambda store: [store.attachments.by_ticket(side, 10, live=True, after=5) for side in Side],
    "attachments.of": lambda store: [store.attachments.of(side, "UserRequest", [1, 2]) for side in Side],
    "links.linked_tickets": lambda store: [store.links.linked_tickets(side, 10, live=True, after=5) for side in Side],
    "links.first_and_last": lambda store: store.links.first_and_last(3),
    "links.linked_after": lambda store: store.links.linked_after(0, 10),
    "attachments.youngest": lambda store: [store.attachments.youngest(side, 10, below=5) for side in Side],
    "attachments.left_between": lambda store: [store.attachments.left_between(side, 1, 2) for side in Side],
    "attachments.originals": lambda store: [store.attachments.originals(side, [1, 2]) for side in Side],
    "links.resting": lambda store: store.keeping(["Incident"]).links.resting(),
    "links.counts": lambda store: store.links.counts(),
    "history.record": lambda store: store.history.record(CycleRecord(None, "poll", NOW, NOW, "well", {})),
    "history.cycles": lambda store: store.history.cycles(10),
    "history.outcomes": lambda store: store.history.outcomes(NOW, MINUTE),
    "history.prune": lambda store: store.history.prune(NOW),
    "activity.latest": lambda store: (
        store.activity.latest(10),
        store.activity.latest(10, link=1),
        store.activity.latest(10, since=NOW),
        store.activity.latest(10, before=(NOW, 5)),
    ),
    "activity.ages": lambda store: store.activity.ages(NOW, 10),
    "activity.prune": lambda store: store.activity.prune(NOW),
    "requests.ask": lambda store: store.requests.ask(RequestKind.SWEEP, "anna", NOW),
    "requests.any_waiting": lambda store: store.requests.any_waiting(),
    "requests.waiting": lambda store: store.requests.waiting(),
    "requests.get": lambda store: store.requests.get(1),
    "requests.take": lambda store: store.requests.take(1, NOW),
    "requests.finish": finish_one,
    "requests.recover": lambda store: store.requests.recover(NOW),
    "requests.latest": lambda store: (
        store.requests.latest(10),
        store.requests.latest(10, link=1),
        store.requests.latest(10, since=NOW),
        store.requests.latest(10, kind=RequestKind.SWEEP),
        store.requests.latest(10, before=(NOW, 5)),
    ),
    "requests.prune": lambda store: store.requests.prune(NOW),
    "spells.note": note_spells,
    "spells.prune": lambda store: store.spells.prune(NOW),
    "links.waiting_ids": lambda store: store.links.waiting_ids(NOW),
    "links.hasten": lambda store: store.links.hasten(NOW + timedelta(days=1), NOW),
    "links.land_by": lambda store: store.links.land_by(NOW),
    "lease.current": lambda store: (
        store.lease.acquire(HOLDER, MINUTE, NOW),
        store.lease.acquire(HOLDER, MINUTE, NOW),
        store.lease.current(),
    ),
    "tombstones.gone": lambda store: [store.tombstones.gone(side, ["UserRequest"]) for side in Side],
    "facts.get": lambda store: store.facts.get("a"),
    "facts.several": lambda store: store.facts.several(["a", "b"]),
    "facts.put": lambda store: store.facts.put("a", "b"),
}

ONE_ROW = {"lease.renew", "lease.release", "lease.is_held_by", "lease.fence"}
"""By token, on a table that has one row at most."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answer_comes_from_an_index(filled: Store, question: str) -> None:
    with statements() as sent, nullcontext() if question.startswith("lease.") else undone(filled):  # a lease joins no other
        answer = QUESTIONS[question](filled)
        if isinstance(answer, Iterator):
            list(answer)
    assert sent
    scans = []
    with filled.database.reading() as connection:
        if not filled.address.is_sqlite:  # a table as small as this one it would read whole
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN" if filled.address.is_sqlite else "EXPLAIN"
        for statement, parameters in sent:
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
                plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
                steps = [str(row.detail if filled.address.is_sqlite else row[0]) for row in plan]
                if not is_newest_first(statement, steps):
                    scans += [f"{step}: {statement}" for step in steps if is_scan(step)]
    assert scans == []


def is_scan(step: str) -> bool:
    """Whether a step of a plan goes through a whole table, and not along an index."""
    tables = "|".join(metadata.tables)
    return bool(re.fullmatch(rf"SCAN ({tables})", step) or re.search(rf"Seq Scan on ({tables})", step))


def is_newest_first(statement: str, steps: list[str]) -> bool:
    """Whether a statement takes a few rows from the end of a table, in which SQLite needs no index and sorts nothing."""
    whole = re.search(r"\bFROM (\w+) ORDER BY \1\.id DESC\s+LIMIT\b", statement)
    return whole is not None and steps == [f"SCAN {whole[1]}"]


def test_every_question_of_a_cycle_is_asked_here(store: Store) -> None:
    parts = {name: part for name, part in vars(store).items() if name not in {"database", "revision"}}
    public = {f"{name}.{asked}" for name, part in parts.items() for asked in dir(part) if not asked.startswith("_")}
    rare = {"history.count_old", "tombstones.old", "tombstones.forget", "links.add", "polls.put_side", "lease.acquire"}
    rare |= {"links.without_copy", "links.drop", "links.mark_class_due"}  # once after a change of the configuration
    rare |= {"activity.count_old", "requests.count_old", "requests.together"}
    rare |= {"spells.count_old", "activity.by_link", "spells.between", "spells.kept_since", "requests.last_done"}  # for a report
    assert public - rare - ONE_ROW == QUESTIONS.keys()


def test_the_oldest_of_very_many_are_found_without_the_others(sqlite_url: str) -> None:
    filled = Store.open(sqlite_url)
    poll(filled, new=[sighting(external(number)) for number in range(1_000, 6_000)], now=NOW - timedelta(days=1))
    with statements() as sent:
        assert len(filled.links.due(NOW, 10)) == 10
    statement, parameters = next(query for query in sent if "ORDER BY link.due_at" in query[0])
    with filled.database.reading() as connection:
        (step,) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert step.detail == "SEARCH link USING COVERING INDEX ix_link_due (due_at<?)"  # in its order: nothing is sorted
    filled.close()
