"""What polls found: recorded together with the cursor, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from itopsync.model import Link, LinkStatus, Ref, Side, Sighting
from itopsync.store.records import Compared, Ended, SideState
from itopsync.store.store import Store
from tests.store.making import MINUTE, NOW, add, add_linked, external, get, internal, poll, sighting

# both sides' states


def test_a_side_that_was_never_polled_has_a_blank_state(store: Store) -> None:
    assert store.polls.side(Side.INTERNAL) == SideState(Side.INTERNAL)


def test_a_sides_state_is_read_as_it_was_put(store: Store) -> None:
    full = SideState(
        Side.EXTERNAL,
        cursor=NOW,
        high_water_marks=((NOW - MINUTE, 5), (NOW, 9)),
        drafts=frozenset({7, 8}),
        account="12",
        former_accounts=frozenset({"7", "901"}),
        ok_at=NOW + MINUTE,
        problem="external: it does not answer",
        problem_since=NOW - MINUTE,
    )
    store.polls.put_side(SideState(Side.INTERNAL, cursor=NOW))
    store.polls.put_side(full)
    assert store.polls.side(Side.EXTERNAL) == full
    store.polls.put_side(SideState(Side.EXTERNAL))
    assert store.polls.side(Side.EXTERNAL) == SideState(Side.EXTERNAL)
    assert store.polls.side(Side.INTERNAL).cursor == NOW


# comparing


def test_a_ticket_changed_when_its_version_is_another(store: Store) -> None:
    link = add_linked(store, external(1), internal(2))
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(1))]) == Compared({}, ())
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(1), "v2")]) == Compared({link.id: "v2"}, ())
    assert store.polls.compare(Side.INTERNAL, [sighting(internal(2), "v2")]) == Compared({link.id: "v2"}, ())


def test_the_same_id_of_another_class_or_side_is_another_ticket(store: Store) -> None:
    add_linked(store, external(1), internal(2))
    others = (sighting(external(1, "Incident")), sighting(external(2)))
    assert store.polls.compare(Side.EXTERNAL, others) == Compared({}, others)
    assert store.polls.compare(Side.INTERNAL, [sighting(internal(1))]).unknown == (sighting(internal(1)),)


def test_a_link_that_is_parked_is_known_but_does_not_change(store: Store) -> None:
    add_linked(store, external(1), internal(2), status=LinkStatus.PARKED)
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(1), "v2")]) == Compared({}, ())


@pytest.mark.parametrize("number", ["R-000001", "R-009999"])
def test_of_a_link_that_has_ended_only_the_external_ticket_is_told_when_it_changes(store: Store, number: str) -> None:
    link = add_linked(store, external(1), internal(2), status=LinkStatus.TOMBSTONE)
    assert store.polls.compare(Side.INTERNAL, [Sighting(internal(2), number, "v2")]) == Compared({}, ())
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(1))]) == Compared({}, ())
    seen = Sighting(external(1), number, "v2")
    assert store.polls.compare(Side.EXTERNAL, [seen]) == Compared({}, (), ended={link.id: Ended(seen, was_gone=False)})


def test_a_ticket_that_was_out_of_scope_is_unknown_again_when_it_changes(store: Store) -> None:
    poll(store, ignored=[sighting(external(1)), sighting(external(2))])
    moved = sighting(external(1), "v2")
    assert store.polls.compare(Side.EXTERNAL, [moved, sighting(external(2))]).unknown == (moved,)
    poll(store, ignored=[moved])
    assert store.polls.compare(Side.EXTERNAL, [moved]).unknown == ()
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(1))]).unknown == (sighting(external(1)),)


def test_tickets_out_of_scope_can_be_asked_about_again(store: Store) -> None:
    """As a sweep does, whose scope may be another one than when they were passed over."""
    poll(store, ignored=[sighting(external(1))])
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(1))]).unknown == ()
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(1))], ignored=False).unknown == (sighting(external(1)),)


def test_a_known_id_that_bears_another_number_is_told_until_its_link_is_parked(store: Store) -> None:
    add_linked(store, external(1), internal(2), status=LinkStatus.PARKED)
    assert not store.polls.compare(Side.EXTERNAL, [Sighting(external(1), "R-009999", "v1")]).renumbered


@pytest.mark.parametrize("status", sorted(set(LinkStatus) - {LinkStatus.PARKED, LinkStatus.TOMBSTONE}))
def test_a_known_id_that_bears_another_number_is_told(store: Store, status: LinkStatus) -> None:
    add_linked(store, external(1), internal(2), status=status)
    renamed = Sighting(external(1), "R-009999", "v1")
    assert store.polls.compare(Side.EXTERNAL, [renamed]).renumbered == {external(1)}
    assert store.polls.compare(Side.INTERNAL, [Sighting(internal(2), "R-9", "v1")]).renumbered == {internal(2)}


def test_a_number_that_is_not_known_yet_is_no_other_number(store: Store) -> None:
    add_linked(store, external(1), internal(2), internal_number="")
    assert not store.polls.compare(Side.INTERNAL, [sighting(internal(2))]).renumbered
    assert not store.polls.compare(Side.EXTERNAL, [Sighting(external(1), "", "v1")]).renumbered


def test_very_many_sightings_are_compared_at_once(store: Store) -> None:
    everything = [sighting(external(number)) for number in range(1, 1_502)]
    poll(store, new=everything[:1_001], ignored=everything[1_001:1_301])
    assert store.polls.compare(Side.EXTERNAL, everything).unknown == tuple(everything[1_301:])
    changed = store.polls.compare(Side.EXTERNAL, [replace(each, version="v2") for each in everything[:1_001]]).changed
    assert len(changed) == 1_001


# recording


def test_a_new_ticket_gets_a_link_that_is_due_at_once(store: Store) -> None:
    ids = poll(store, new=[sighting(external(5)), sighting(external(3))])
    expected = [
        Link(ids[0], external(5), None, LinkStatus.WAITING, "R-000005", due_at=NOW),
        Link(ids[1], external(3), None, LinkStatus.WAITING, "R-000003", due_at=NOW),
    ]
    assert list(store.links.get(ids)) == sorted(expected, key=lambda link: link.id)
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(5))]) == Compared({}, ())


@pytest.mark.parametrize("status", list(LinkStatus))
def test_a_ticket_that_is_known_gets_no_second_link(store: Store, status: LinkStatus) -> None:
    """Not even one whose copy a person has parted."""
    add_linked(store, external(5), internal(6), status=status)
    assert poll(store, new=[sighting(external(5))]) == ()
    assert poll(store, new=[sighting(external(7)), sighting(external(7), "v2")]) != ()
    assert sum(store.links.counts()[name] for name in LinkStatus) == 2


def test_a_ticket_that_comes_into_scope_is_not_out_of_it_any_more(store: Store) -> None:
    poll(store, ignored=[sighting(external(5)), sighting(external(5, "Incident"))])
    poll(store, new=[sighting(external(5), "v2")])
    assert store.history.count_old(NOW + MINUTE)["sightings"] == 1


def test_a_changed_ticket_is_noted_at_its_version_and_made_due(store: Store) -> None:
    link = add_linked(store, external(1), internal(2))
    poll(store, Side.INTERNAL, versions={link.id: "v2"}, due=[link.id])
    assert get(store, link.id).due_at == NOW
    assert not store.polls.compare(Side.INTERNAL, [sighting(internal(2), "v2")]).changed
    assert not store.polls.compare(Side.EXTERNAL, [sighting(external(1), "v1")]).changed


def test_a_poll_wakes_no_link_in_doubt(store: Store) -> None:
    doubtful = add_linked(store, external(1), internal(1), in_doubt=True, due_at=NOW + 5 * MINUTE)
    calm = add_linked(store, external(2), internal(2), due_at=NOW + 9 * MINUTE)
    ids = [doubtful.id, calm.id]
    poll(store, versions=dict.fromkeys(ids, "v2"), due=ids)
    assert [link.due_at for link in store.links.get(ids)] == [NOW + 5 * MINUTE, NOW]


def test_a_poll_is_recorded_whole_or_not_at_all(store: Store) -> None:
    """Dirty before cursor: should anything of it fail, the next poll finds all of it again."""
    link = add_linked(store, external(1), internal(2))
    before = store.polls.side(Side.EXTERNAL)
    nothing: Any = None
    broken = Sighting(Ref(Side.EXTERNAL, "UserRequest", 4), "R-000004", nothing)
    with pytest.raises(IntegrityError):
        poll(
            store,
            now=NOW + MINUTE,
            versions={link.id: "v2"},
            due=[link.id],
            new=[sighting(external(3))],
            ignored=[broken],
        )
    assert store.polls.side(Side.EXTERNAL) == before
    assert get(store, link.id) == link
    assert store.links.of(external(3)) is None
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(1), "v2")]).changed == {link.id: "v2"}


def test_a_saved_links_own_version_is_no_change(store: Store) -> None:
    """What we wrote ourselves is not looked at again."""
    link = add(store, external(1))
    store.links.save(replace(link, due_at=None), versions={Side.EXTERNAL: "v7"}, now=NOW, live=True)
    assert not store.polls.compare(Side.EXTERNAL, [sighting(external(1), "v7")]).changed
    store.links.save(replace(link, due_at=None), now=NOW, live=True)
    assert not store.polls.compare(Side.EXTERNAL, [sighting(external(1), "v7")]).changed
