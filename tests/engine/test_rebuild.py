"""A store that was lost is made anew from what stands in iTop."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from itopsync.cli.verifying import strays
from itopsync.engine import linking
from itopsync.engine.rebuild import AnotherBearer, WithoutCopy, rebuild
from itopsync.errors import StoreError
from itopsync.model import LinkStatus, Ref, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.ends import why
from itopsync.reconcile.rebuilding import Rebuilt
from itopsync.store.records import CycleKind
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Rig


def _day(rig: Rig) -> int:
    """A request with notes, a picture, files and a state, in agreement."""
    number = rig.customer.create("UserRequest", title="Printer", private_log="<p>One</p>", service_id=1)
    picture = rig.customer.paste_image("UserRequest", number, "s.png", "image/png", PICTURE)
    rig.customer.note("UserRequest", number, f"<p>Two</p>{picture}")
    rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    rig.sync()
    copy = rig.copy_of(number)
    rig.operator.note("UserRequest", copy, "<p>Three</p>")
    rig.operator.attach("UserRequest", copy, "b.txt", "text/plain", b"b")
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.sync()
    rig.settle(2)
    return number


def _lose_the_store(rig: Rig) -> None:
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()


def _rebuild(rig: Rig) -> Iterator[Rebuilt]:
    for each in rebuild(rig.inspector):
        assert isinstance(each, Rebuilt)
        yield each


def _found_again(rig: Rig) -> list[Rebuilt]:
    _lose_the_store(rig)
    return list(_rebuild(rig))


def test_where_the_sides_were_at_rest_the_next_cycle_writes_nothing(rig: Rig) -> None:
    number = _day(rig)
    copy, before = rig.copy_of(number), rig.written()
    (found,) = _found_again(rig)
    assert (found.differs, found.link.internal and found.link.internal.id) == ((), copy)
    rig.sync()
    rig.settle()
    assert rig.written() == before
    assert rig.copy_of(number) == copy
    assert rig.differences() == []


def test_what_differs_is_listed_and_left_until_it_is_changed(rig: Rig) -> None:
    number = _day(rig)
    copy = rig.copy_of(number)
    rig.operator.update("UserRequest", copy, title="Ours")
    rig.operator.stimulus("UserRequest", copy, "ev_resolve", **RESOLVED)
    before = rig.written()
    (found,) = _found_again(rig)
    assert "title" in found.differs
    assert "state" in found.differs
    rig.sync()
    assert rig.written() == before
    rig.customer.update("UserRequest", number, title="Theirs")
    rig.sync()
    assert rig.internal.ticket("UserRequest", copy)["title"] == "Theirs"


def test_a_note_that_had_not_arrived_arrives(rig: Rig) -> None:
    number = _day(rig)
    rig.customer.note("UserRequest", number, "<p>Four</p>")
    _found_again(rig)
    rig.sync()
    assert sum("Four" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number))) == 1
    assert rig.differences() == []


def test_a_copy_without_its_original_is_left_alone(rig: Rig) -> None:
    number = _day(rig)
    rig.customer.delete("UserRequest", number)
    (found,) = _found_again(rig)
    assert found.link.status is LinkStatus.TOMBSTONE
    before = rig.written()
    rig.settle()
    assert rig.written() == before


@pytest.mark.parametrize("later", [False, True])
def test_of_several_copies_the_one_that_a_person_linked_last_is_found(rig: Rig, later: bool) -> None:
    """The first copy was out of our sight when another ticket was linked, so nothing on it says that it is unlinked."""
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    first = rig.copy_of(number)
    row = rig.internal.store.get("UserRequest", first)
    assert row is not None
    rig.internal.store.remove("UserRequest", first)
    rig.settle(2)
    linked = [rig.operator.create("UserRequest", title=f"Printer {place}") for place in range(1 + later)]
    external = Ref(Side.EXTERNAL, "UserRequest", number)
    for another in linked:
        rig.store.links.amend(rig.link(number).id, lambda link: by_hand.unlinked(link, rig.now, notice=False), rig.now)
        refs = external, Ref(Side.INTERNAL, "UserRequest", another)
        linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=None))
        rig.settle(2)
    rig.internal.store.put(row)

    _lose_the_store(rig)
    others = [each.ref.id for each in rebuild(rig.inspector) if isinstance(each, AnotherBearer)]

    assert rig.copy_of(number) == linked[-1]
    assert others == [first, *linked[:-1]]


def _clone(rig: Rig, copy: int) -> int:
    """A ticket of an agent's own, made from *copy* by an extension that takes the log along."""
    clone = rig.operator.create("UserRequest", title="Follow-up")
    row, cloned = (rig.internal.store.get("UserRequest", number) for number in (copy, clone))
    assert row is not None
    assert cloned is not None
    rig.internal.store.put({**cloned, "private_log": row["private_log"]})
    rig.operator.note("UserRequest", clone, "<p>Only ours</p>")
    return clone


def test_a_clone_of_a_copy_is_named(rig: Rig) -> None:
    number = _day(rig)
    copy = rig.copy_of(number)
    clone = Ref(Side.INTERNAL, "UserRequest", _clone(rig, copy))
    named = AnotherBearer(clone, f"R-{clone.id:06}", Ref(Side.EXTERNAL, "UserRequest", number))
    _lose_the_store(rig)
    assert [each for each in rebuild(rig.inspector) if not isinstance(each, Rebuilt)] == [named]
    assert list(rebuild(rig.inspector)) == []
    rig.sync()
    assert rig.copy_of(number) == copy
    assert not any("Only ours" in text for text in rig.texts(Side.EXTERNAL, number))


def test_a_clone_of_a_copy_that_a_person_unlinked_is_named_and_not_linked(rig: Rig) -> None:
    number = _day(rig)
    copy = rig.copy_of(number)
    clone = Ref(Side.INTERNAL, "UserRequest", _clone(rig, copy))
    rig.store.links.amend(rig.link(number).id, lambda link: by_hand.unlinked(link, rig.now, notice=True), rig.now)
    rig.sync()
    _lose_the_store(rig)
    other, ended = rebuild(rig.inspector)
    assert isinstance(other, AnotherBearer)
    assert other.ref == clone
    assert isinstance(ended, Rebuilt)
    assert (ended.link.status, ended.link.internal and ended.link.internal.id) == (LinkStatus.TOMBSTONE, copy)
    before = rig.written()
    rig.sync()
    rig.settle()
    assert rig.written() == before


def _link_with_another(rig: Rig, ticket: int) -> int:
    """Link an internal ticket by hand with an old external one."""
    old = rig.customer.create("UserRequest", title="Old", start_date="2026-11-01 00:00:00")
    refs = Ref(Side.EXTERNAL, "UserRequest", old), Ref(Side.INTERNAL, "UserRequest", ticket)
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=None))
    rig.settle(2)
    return old


def test_a_copy_stays_linked_though_its_clone_was_linked_with_another_ticket(rig: Rig) -> None:
    number = _day(rig)
    copy = rig.copy_of(number)
    clone = _clone(rig, copy)
    old = _link_with_another(rig, clone)
    _lose_the_store(rig)
    found = _all_found(rig)
    assert {(each.link.external.id, each.link.status) for each in found if isinstance(each, Rebuilt)} == {
        (number, LinkStatus.LINKED),
        (old, LinkStatus.LINKED),
    }
    assert (len(found), rig.copy_of(number), rig.copy_of(old)) == (2, copy, clone)
    rig.operator.note("UserRequest", copy, "<p>On our way</p>")
    rig.settle(2)
    assert [any("On our way" in text for text in rig.texts(Side.EXTERNAL, each)) for each in (number, old)] == [True, False]
    assert not any("Only ours" in text for each in (number, old) for text in rig.texts(Side.EXTERNAL, each))


def test_a_clone_is_not_taken_for_a_copy_that_was_linked_with_another_ticket(rig: Rig) -> None:
    number = _day(rig)
    copy = rig.copy_of(number)
    clone = _clone(rig, copy)
    rig.store.links.amend(rig.link(number).id, lambda link: by_hand.unlinked(link, rig.now, notice=False), rig.now)
    old = _link_with_another(rig, copy)
    _lose_the_store(rig)
    found = _all_found(rig)
    assert [each.ref.id for each in found if isinstance(each, AnotherBearer)] == [clone]
    assert (rig.link(number).status, rig.copy_of(number), rig.copy_of(old)) == (LinkStatus.TOMBSTONE, copy, copy)
    assert why(rig.link(number)).startswith("why was not noted")
    (told,) = strays(rig.pair)
    assert f"whose link has ended, with internal:UserRequest:{copy}, or" in told.what
    rig.operator.note("UserRequest", clone, "<p>Ours as well</p>")
    rig.settle(2)
    assert not any("Ours as well" in text for each in (number, old) for text in rig.texts(Side.EXTERNAL, each))


def test_it_makes_only_what_the_store_does_not_know(rig: Rig) -> None:
    """So it may be broken off, and run again."""
    number = _day(rig)
    assert list(_rebuild(rig)) == []
    other = rig.customer.create("Incident", title="Screen")
    rig.sync()
    _lose_the_store(rig)
    first = next(_rebuild(rig))
    (second,) = _rebuild(rig)
    assert {first.link.external.id, second.link.external.id} == {number, other}
    assert list(_rebuild(rig)) == []


def test_a_lost_store_is_refused_before_anything_is_written(rig: Rig) -> None:
    _day(rig)
    before = rig.written()
    _lose_the_store(rig)
    for _ in range(2):
        with pytest.raises(StoreError, match="run `itopsync rebuild`"):
            rig.sync()
    assert rig.written() == before


def test_a_store_from_a_backup_finds_what_was_made_since(rig: Rig) -> None:
    rig.sync()
    rig.stop()
    shutil.copy(rig.folder / "store.sqlite", rig.folder / "backup")
    rig.start()
    _day(rig)
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    shutil.copy(rig.folder / "backup", rig.folder / "store.sqlite")
    rig.start()
    assert [planned.plan.actions for planned in rig.inspector.preview()[0]] == [()]
    written = rig.written()
    rig.sync()
    rig.settle()
    assert rig.written() == written
    assert len(rig.internal.tickets()) == 1
    assert rig.differences() == []


def test_a_first_run_waits_until_both_sides_answer(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.internal.maintenance = True
    assert rig.sync().outcome == "unavailable"
    rig.internal.maintenance = False
    rig.sync()
    assert len(rig.internal.tickets()) == 1


def _age(rig: Rig) -> dict[str, int]:
    """Four requests in agreement, two of them with files; then the copies of the two others are deleted."""
    made = {title: rig.customer.create("UserRequest", title=title) for title in "abcd"}
    for title in "ad":
        for name in "12":
            rig.customer.attach("UserRequest", made[title], f"{title}{name}.txt", "text/plain", name.encode())
    rig.sync()
    rig.settle(2)
    for title in "bc":
        rig.internal.agent("admin").delete("UserRequest", rig.copy_of(made[title]))
    rig.wait(hours=2)
    rig.engine.cycle(CycleKind.SWEEP)
    return made


def _titles(rig: Rig) -> list[str]:
    return sorted(ticket["title"] for ticket in rig.internal.tickets())


def _all_found(rig: Rig, **how: Any) -> list[object]:
    return list(rebuild(rig.inspector, **how))


def test_a_copy_that_a_person_deleted_is_not_made_again_without_being_asked(rig: Rig) -> None:
    made = _age(rig)
    new = rig.customer.create("UserRequest", title="new")
    _lose_the_store(rig)
    found = _all_found(rig)
    assert {each.external.id for each in found if isinstance(each, WithoutCopy)} == {made["b"], made["c"]}
    rig.sync()
    rig.settle()
    assert _titles(rig) == ["a", "d", "new"]
    assert rig.link(new).status is LinkStatus.LINKED
    for title in "bc":
        link = rig.link(made[title])
        assert (link.status, link.internal) == (LinkStatus.PARKED, None)
        assert "itopsync unlink" in link.obstacles[0].reason
    rig.store.links.amend(rig.link(made["b"]).id, lambda link: by_hand.resumed(link, rig.now), rig.now)
    rig.store.links.amend(rig.link(made["c"]).id, lambda link: by_hand.unlinked(link, rig.now, notice=True), rig.now)
    rig.sync()
    rig.settle()
    assert _titles(rig) == ["a", "b", "d", "new"]
    assert rig.link(made["c"]).status is LinkStatus.TOMBSTONE


@pytest.mark.parametrize("at_once", [True, False])
def test_all_that_has_no_copy_is_copied_where_that_is_asked_for(rig: Rig, at_once: bool) -> None:
    made = _age(rig)
    copy = rig.copy_of(made["a"])
    (attachment, _) = rig.internal.ticket("UserRequest", copy)["attachments"]
    rig.operator.delete_attachment(attachment["id"])
    rig.sync()
    _lose_the_store(rig)
    if not at_once:
        assert len([each for each in _all_found(rig) if isinstance(each, WithoutCopy)]) == 2
        rig.sync()
        rig.settle()
        assert _titles(rig) == ["a", "d"]
    assert not [each for each in _all_found(rig, create_missing=True) if isinstance(each, WithoutCopy)]
    rig.sync()
    rig.settle()
    assert _titles(rig) == ["a", "b", "c", "d"]
    assert rig.differences() == []


@pytest.mark.parametrize("origin", list(Side))
def test_a_files_copy_that_a_person_deleted_is_not_made_again_without_being_asked(rig: Rig, origin: Side) -> None:
    made = _age(rig)
    copy = rig.copy_of(made["a"])
    place = {Side.EXTERNAL: made["a"], Side.INTERNAL: copy}
    for name in ("old", "deleted", "young"):
        rig.agent(origin).attach("UserRequest", place[origin], name, "text/plain", name.encode())
    rig.sync()
    files = rig.simulator(origin.other).ticket("UserRequest", place[origin.other])["attachments"]
    gone = next(attachment["id"] for attachment in files if attachment["contents"].filename == "deleted")
    rig.agent(origin.other).delete_attachment(gone)
    rig.sync()
    rig.settle(2)
    rig.agent(origin).attach("UserRequest", place[origin], "new", "text/plain", b"new")
    _lose_the_store(rig)
    found = [each for each in _all_found(rig) if isinstance(each, Rebuilt) and each.without_copy]
    assert len(found) == 1
    assert found[0].link.internal
    assert len(found[0].without_copy) == 1

    def names() -> set[str]:
        files = rig.simulator(origin.other).ticket("UserRequest", place[origin.other])["attachments"]
        return {attachment["contents"].filename for attachment in files}

    rig.sync()
    rig.settle()
    assert names() >= {"old", "young", "new"}
    assert "deleted" not in names()
    rig.store.links.amend(rig.link(made["a"]).id, lambda link: by_hand.retried(link, rig.now), rig.now)
    rig.sync()
    assert names() >= {"old", "young", "new", "deleted"}


def _open_with_addresses_and_pictures(rig: Rig) -> int:
    """A request whose fields read otherwise on each side, from whichever they come: pictures, addresses, formatting."""
    page = f"{rig.external.url}/pages/UI.php?id=3"
    number = rig.customer.create("UserRequest", title=f"See {page}", description="<p>Look</p>", service_id=1)
    picture = rig.customer.paste_image("UserRequest", number, "s.png", "image/png", PICTURE)
    told = f'<p>See {page}, <a href="{page}">it</a>&nbsp;and</p>{picture}<ul><li>this</ul>'
    rig.customer.update("UserRequest", number, description=told)
    rig.sync()
    copy = rig.copy_of(number)
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    picture = rig.operator.paste_image("UserRequest", copy, "t.png", "image/png", PICTURE + b"2")
    said = f"<p>See {rig.internal.url}/pages/UI.php?id=3</p>{picture}"
    rig.operator.stimulus("UserRequest", copy, "ev_resolve", **{**RESOLVED, "solution": said})
    rig.sync()
    rig.settle(2)
    return number


def test_what_only_reads_otherwise_on_the_other_side_is_no_difference(rig: Rig) -> None:
    _open_with_addresses_and_pictures(rig)
    assert [each.differs for each in _found_again(rig)] == [()]


def test_another_picture_and_other_words_are_a_difference(rig: Rig) -> None:
    number = _open_with_addresses_and_pictures(rig)
    picture = rig.operator.paste_image("UserRequest", rig.copy_of(number), "u.png", "image/png", PICTURE + b"3")
    shown = rig.internal.ticket("UserRequest", rig.copy_of(number))["description"]
    start, end = shown.index("<img"), shown.index(">", shown.index("<img")) + 1
    rig.operator.update("UserRequest", rig.copy_of(number), description=shown[:start] + picture + shown[end:], title="See it")
    assert [each.differs for each in _found_again(rig)] == [("description", "title")]
