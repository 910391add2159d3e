"""Several threads use one store, as the engine's do, and two stores one database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from itopsync.model import Link, LinkStatus, Side
from itopsync.store.records import DueCounts
from itopsync.store.store import Store
from tests.store.making import MINUTE, NOW, add, carried, external, get, internal, poll, sighting


def test_links_are_written_at_once_and_none_is_lost(store: Store) -> None:
    """Four workers save links, while the main thread asks what is left, and another poll is recorded."""
    ids = poll(store, new=[sighting(external(number)) for number in range(1, 61)])

    def work(link: Link) -> Link:
        store.links.begin_write(link.id, NOW)
        copy = internal(link.external.id)
        done = replace(link, internal=copy, status=LinkStatus.LINKED, files=(carried(Side.EXTERNAL, link.id, 100),), due_at=None)
        store.links.save(done, versions={Side.INTERNAL: "v1"}, now=NOW, live=True)
        return done

    with ThreadPoolExecutor(4) as workers:
        working = [workers.submit(work, link) for link in store.links.get(ids)]
        poll(store, Side.INTERNAL, due=ids[:3], ignored=[sighting(internal(200))])
        left = [store.links.due_counts(NOW).waiting]
        while not all(future.done() for future in working):
            left.append(store.links.due_counts(NOW).waiting)
        done = tuple(future.result() for future in working)

    assert left == sorted(left, reverse=True)
    saved = store.links.get(ids)
    assert [replace(link, due_at=None) for link in saved] == list(done)
    assert store.links.due_counts(NOW).waiting == 0
    assert store.links.recover(NOW, NOW) == ()


def test_a_link_is_always_read_whole(store: Store) -> None:
    """Its files belong to its base, even while somebody saves it over and over."""
    link = add(store, external(1))
    few, many = replace(link, in_doubt=True), replace(link, files=tuple(carried(Side.EXTERNAL, n, None) for n in range(9)))
    store.links.save(few, now=NOW, live=True)

    def save_over_and_over() -> None:
        for _ in range(40):
            store.links.save(many, now=NOW, live=True)
            store.links.save(few, now=NOW, live=True)

    with ThreadPoolExecutor(1) as writer:
        saving = writer.submit(save_over_and_over)
        seen = [get(store, link.id)]
        while not saving.done():
            seen.append(get(store, link.id))
        saving.result()
    assert [each for each in seen if each not in (few, many)] == []


def test_what_one_store_commits_the_other_sees(url: str) -> None:
    daemon, command = Store.open(url), Store.open(url)
    link = add(daemon, external(1))
    assert command.links.due(NOW, 10) == (link,)
    command.links.mark_due([link.id], NOW - MINUTE, now=NOW)
    assert daemon.links.due_counts(NOW - MINUTE) == DueCounts(waiting=1, total=1)
    daemon.close()
    command.close()
