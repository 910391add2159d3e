"""Verifying sees what the planner does not: here the planner is blind, or somebody has altered a server behind its back."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from itopsync.cli import show
from itopsync.engine import linking, plan
from itopsync.engine.rebuild import rebuild
from itopsync.itop.attributes import Attributes
from itopsync.model import FilePair, FileStatus, NewEntry, Ref, Side
from itopsync.reconcile import entries, gate
from itopsync.reconcile.plan import Plan
from itopsync.store.links import Links
from tests.engine.rig import PICTURE, TEAM, Rig
from tests.engine.test_hostile_texts import BOTH_LOGS, QUOTES, quote
from tests.engine.verifying import compared, excused, verified

REQUEST = "UserRequest"
OTHER_PICTURE = PICTURE[:-1] + b"\x01"
LINK = "external:UserRequest:1"


@pytest.fixture
def linked(rig: Rig) -> Rig:
    """External's request 1 with its copy, at rest."""
    rig.customer.create(REQUEST, title="Printer", private_log="<p>It smokes.</p>", service_id=1)
    rig.sync()
    rig.settle(2)
    assert compared(rig) == []
    return rig


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A planner that sees nothing to do, whatever there is."""
    with monkeypatch.context() as patched:
        patched.setattr(plan, "plan_link", lambda link, *_, **__: Plan(link))
        yield patched


# what the planner was blind to once


@pytest.mark.parametrize(
    "fragment",
    [
        "<p>\u200b#internal They never pay their bills</p>",
        '<p><img src="data:image/png;base64,AAAA"></p><p>#internal They never pay</p>',
    ],
)
def test_a_disguised_secret_that_stands_on_external_is_told(linked: Rig, fragment: str) -> None:
    linked.operator.note(REQUEST, linked.copy_of(1), fragment)
    assert compared(linked) == []
    linked.external.agent("sync").note(
        REQUEST, 1, f'<p class="itopsync-demo-n-1.0123456789abcdef"><em>Operations</em></p>{fragment}'
    )
    assert compared(linked) == [f"{LINK}: internal: entry 3 of private_log is to stay in internal, but its words are on external"]


def test_a_kept_note_that_quotes_the_customer_has_not_leaked(rig: Rig) -> None:
    crash = "<p># Internal Error (sharedRuntime.cpp:553), pid=1234</p>"
    rig.customer.create(REQUEST, title="Crash", description=f"<p>Our server crashed:</p>{crash}")
    rig.settle(1)
    rig.operator.note(REQUEST, rig.copy_of(1), crash)
    rig.customer.note(REQUEST, 1, "<p>Again:</p><p># Internal disk is full, as of 11:40</p>")
    rig.settle(1)
    rig.wait(minutes=1)
    rig.operator.note(REQUEST, rig.copy_of(1), "<p># Internal disk is full, as of 11:40</p>")
    rig.settle(1)
    assert rig.writes(Side.EXTERNAL) == []
    assert compared(rig) == []


def test_a_kept_note_that_leaked_is_told_though_the_customer_quotes_it(linked: Rig) -> None:
    secret = "<p>#internal They never pay their bills</p>"
    linked.operator.note(REQUEST, linked.copy_of(1), secret)
    linked.external.agent("sync").note(
        REQUEST, 1, f'<p class="itopsync-demo-n-1.0123456789abcdef"><em>Operations</em></p>{secret}'
    )
    linked.wait(minutes=1)
    linked.customer.note(REQUEST, 1, f"<p>Who says so?</p><blockquote>{secret}</blockquote>")
    linked.settle(1)
    assert any("is to stay in internal, but its words are on external" in told for told in compared(linked))


@pytest.mark.parametrize(
    "fragment",
    [
        "<p>@Carla Demo, #internal They never pay their bills</p>",
        "<p>#int\u00e9rnal They never pay their bills</p>",
        "<figure><img src='x.png'><figcaption>A bill</figcaption></figure><p># internal They never pay their bills</p>",
        "<div class='gmail_quote'>When will you pay?</div><p>#internal They never pay their bills</p>",
        "<p>Copied from R-000001</p><p>\u3164##internal They never pay their bills</p>",
    ],
)
def test_a_note_that_is_rightly_kept_is_not_told_as_missing(linked: Rig, fragment: str) -> None:
    linked.operator.note(REQUEST, linked.copy_of(1), fragment)
    linked.settle(1)
    assert not any("never pay" in text for text in linked.texts(Side.EXTERNAL, 1))
    assert compared(linked) == []


def test_a_secret_that_reached_external_through_a_child_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path, versions=("3.2", "3.3"))
    numbers = [rig.customer.create(REQUEST, title=title) for title in ("Parent", "Child")]
    rig.sync()
    parent, child = map(rig.copy_of, numbers)
    rig.operator.update(REQUEST, child, parent_request_id=parent)
    with monkeypatch.context() as before:
        before.setattr(gate, "_TAGGED_LINES", 1)
        rig.operator.note(REQUEST, parent, "<p>#internal They never pay their bills</p>")
        rig.settle(2)
    told = "internal: entry 2 of private_log is to stay in internal, but its words are on external"
    assert compared(rig) == [f"external:UserRequest:{numbers[1]}: {told}"]
    rig.stop()


def test_a_secret_that_lost_its_mark_on_the_way_is_told(linked: Rig) -> None:
    linked.operator.note(REQUEST, linked.copy_of(1), "<p>#internal They never pay their bills</p>")
    head = '<p class="itopsync-demo-n-1.0123456789abcdef"><em>Operations</em></p>'
    linked.external.agent("sync").note(REQUEST, 1, f"{head}<p>They never pay their bills</p>")
    assert len(compared(linked)) == 1


@pytest.mark.parametrize("side", Side)
def test_a_note_that_begins_with_what_was_pasted_from_another_ticket_and_never_arrives_is_told(linked: Rig, side: Side) -> None:
    number = 1 if side is Side.EXTERNAL else linked.copy_of(1)
    pasted = '<p class="itopsync-demo-n-99.0123456789abcdef"><em>Customer desk R-000099</em></p><p>As you said there.</p>'
    linked.agent(side).note(REQUEST, number, f"{pasted}<p>So what now?</p>")
    place = len(linked.texts(side, number))
    assert compared(linked) == [f"{LINK}: {side}: entry {place} of private_log has no mirror on {side.other}"]


@pytest.mark.parametrize("what", QUOTES)
@pytest.mark.parametrize("side", list(Side))
def test_a_note_that_quotes_an_entry_of_ours_and_never_arrives_is_told(
    tmp_path: Path, side: Side, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, more=BOTH_LOGS)
    rig.customer.create(REQUEST, title="Printer")
    rig.sync()
    with monkeypatch.context() as before:  # the first bearer of whatever marker of this link was ours, by whomever
        before.setattr(entries._Place, "_by_us", frozenset())
        before.setattr(entries._Place, "can_stand", lambda *_, **__: True)
        before.setattr(entries._Place, "_is_quoted", lambda *_: False)
        log = quote(rig, side, what)
        rig.settle(2)
        place = len(rig.simulator(side).ticket(REQUEST, 1 if side is Side.EXTERNAL else rig.copy_of(1))[log])
        assert compared(rig) == [f"{LINK}: {side}: entry {place} of {log} has no mirror on {side.other}"]
    rig.stop()


def test_a_description_in_which_only_the_picture_changed_is_told_where_bytes_are_compared(rig: Rig) -> None:
    rig.customer.create(REQUEST, title="Screen")
    pictures = [rig.customer.paste_image(REQUEST, 1, "s.png", "image/png", data) for data in (PICTURE, OTHER_PICTURE)]
    rig.customer.update(REQUEST, 1, description=f"<p>Look: {pictures[0]}</p>")
    rig.sync()
    rig.settle(2)
    assert compared(rig) == []
    rig.customer.update(REQUEST, 1, description=f"<p>Look: {pictures[1]}</p>")
    told = [f"{LINK}: description of external shows a picture that internal does not show"]
    assert (compared(rig, deep=False), compared(rig)) == ([], told)


@pytest.mark.parametrize(
    "name", ["see [[UserRequest%3A1%7CLab]].png", "see %5B%5BUserRequest:1|Lab%5D%5D 50%25.png", "50%25 off.png"]
)
def test_a_file_whose_name_is_percent_encoded_is_that_of_its_copy(linked: Rig, name: str) -> None:
    linked.operator.attach(REQUEST, linked.copy_of(1), name, "image/png", PICTURE)
    linked.settle()
    assert len(linked.external.ticket(REQUEST, 1)["attachments"]) == 1
    assert compared(linked) == []


def test_a_picture_that_somebody_replaced_in_internal_is_theirs(rig: Rig) -> None:
    rig.customer.create(REQUEST, title="Screen")
    shown = rig.customer.paste_image(REQUEST, 1, "s.png", "image/png", PICTURE)
    rig.customer.update(REQUEST, 1, description=f"<p>Look: {shown}</p>")
    rig.sync()
    rig.settle(2)
    copy = rig.copy_of(1)
    other = rig.operator.paste_image(REQUEST, copy, "o.png", "image/png", OTHER_PICTURE)
    rig.operator.update(REQUEST, copy, description=f"<p>Look: {other}</p>")
    assert compared(rig) == []
    assert [kind for kind, _ in excused(rig)] == ["field"]


# whatever else a planner may be blind to


def test_what_the_planner_does_not_plan_is_no_agreement(linked: Rig, blind: pytest.MonkeyPatch) -> None:
    linked.customer.note(REQUEST, 1, "<p>It burns.</p>")
    linked.customer.update(REQUEST, 1, title="Printer on fire", urgency="1")
    linked.operator.stimulus(REQUEST, linked.copy_of(1), "ev_assign", **TEAM)
    linked.operator.attach(REQUEST, linked.copy_of(1), "a.txt", "text/plain", b"a")
    (result,) = verified(linked)
    assert show.agrees(result.plan)
    assert not result.agrees
    assert result.findings is not None
    assert {difference.item for difference in result.findings.differences} == {
        "state",
        "field:title",
        "field:urgency",
        "entry:external:private_log:2",
        "file:internal:1",
    }


def test_an_entry_that_is_there_twice_is_told(linked: Rig) -> None:
    copy, server = Ref(Side.INTERNAL, REQUEST, linked.copy_of(1)), linked.server(Side.INTERNAL)
    read = Attributes.of(linked.pair.rules.for_external(REQUEST), Side.INTERNAL)
    mirror = server.tickets(REQUEST, [copy.id], read)[copy.id].logs["private_log"][-1]
    server.update(copy, {}, {"private_log": NewEntry(mirror.at, mirror.html)}, read)
    assert compared(linked) == [f"{LINK}: internal: entry 3 of private_log is there twice"]


def test_an_entry_of_ours_that_lost_its_mark_is_told(linked: Rig) -> None:
    linked.internal.agent("sync").note(REQUEST, linked.copy_of(1), "<p><em>Customer desk</em></p><p>It smokes.</p>")
    assert compared(linked) == [f"{LINK}: internal: entry 3 of private_log is by our account, but has no marker of ours"]


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("kind", "ntuwhvap")
def test_a_note_that_writes_of_a_marker_is_a_note(linked: Rig, side: Side, kind: str) -> None:
    number = 1 if side is Side.EXTERNAL else linked.copy_of(1)
    linked.agent(side).note(REQUEST, number, f"<p>What is itopsync-demo-{kind}-{REQUEST}.1 for?</p>")
    linked.settle(2)
    assert compared(linked) == []


def test_two_notes_of_the_same_words_need_two_mirrors(linked: Rig) -> None:
    linked.customer.note(REQUEST, 1, "<p>It smokes.</p>")
    assert compared(linked) == [f"{LINK}: external: entry 2 of private_log has no mirror on internal"]


def test_a_note_that_is_part_of_another_one_is_not_taken_for_it(linked: Rig) -> None:
    linked.customer.note(REQUEST, 1, "<p>It smokes. A lot.</p>")
    linked.sync()
    linked.customer.note(REQUEST, 1, "<p>A lot</p>")
    assert compared(linked) == [f"{LINK}: external: entry 3 of private_log has no mirror on internal"]


def test_a_copy_with_other_bytes_is_told_where_bytes_are_compared(linked: Rig) -> None:
    linked.customer.attach(REQUEST, 1, "a.txt", "text/plain", b"one")
    linked.settle(2)
    (copy,) = linked.internal.ticket(REQUEST, linked.copy_of(1))["attachments"]
    other = {"data": base64.b64encode(b"two").decode(), "mimetype": "text/plain", "filename": "a.txt"}
    linked.operator.update("Attachment", copy["id"], contents=other)
    told = [f"{LINK}: external: attachment 1 and its copy are not the same file"]
    assert (compared(linked, deep=False), compared(linked)) == ([], told)


def test_a_copy_that_outlives_its_original_and_one_too_many_are_told(linked: Rig, blind: pytest.MonkeyPatch) -> None:
    sync = linked.internal.agent("sync")
    for original in (6, 7, 8, 8):  # of the first, the original never was on this ticket
        made = sync.attach(REQUEST, linked.copy_of(1), "a.txt", "text/plain", b"a")
        sync.update("Attachment", made, temp_id=f"itopsync-demo-a-e{original}")
    known = tuple(FilePair(Side.EXTERNAL, number, number, FileStatus.CARRIED) for number in (7, 8))
    linked.store.links.amend(linked.link(1).id, lambda link: replace(link, files=known), linked.now)
    assert compared(linked) == [
        f"{LINK}: external: attachment {number} is gone, but its copy is still there" for number in (7, 8)
    ]


def test_a_ticket_that_is_gone_is_told(linked: Rig, blind: pytest.MonkeyPatch) -> None:
    copy = linked.copy_of(1)
    linked.operator.delete(REQUEST, copy)
    assert compared(linked) == [f"{LINK}: internal: UserRequest::{copy} does not exist, or the account may not see it"]


# what differs on purpose


def test_what_is_kept_apart_on_purpose_is_excused_with_its_reason(linked: Rig) -> None:
    copy = linked.copy_of(1)
    linked.customer.attach(REQUEST, 1, "a.txt", "text/plain", b"a")
    linked.settle(2)
    (file,) = linked.internal.ticket(REQUEST, copy)["attachments"]
    linked.operator.delete_attachment(file["id"])
    linked.operator.update(REQUEST, copy, title="Another title")
    linked.operator.note(REQUEST, copy, "<p>#internal They never pay</p>")
    assert compared(linked) == []
    assert sorted(excused(linked)) == [
        ("entry", "it is kept in internal"),
        ("field", "the rules leave it as it is, or somebody edited it in internal"),
        ("file", "somebody deleted its copy"),
    ]


def test_what_goes_with_a_state_is_not_asked_for_where_the_states_differ(linked: Rig, blind: pytest.MonkeyPatch) -> None:
    linked.operator.stimulus(REQUEST, linked.copy_of(1), "ev_assign", **TEAM)
    linked.operator.stimulus(REQUEST, linked.copy_of(1), "ev_pending", pending_reason="On leave")
    assert compared(linked) == [f"{LINK}: the state is 'new' on external and 'pending' on internal"]


def test_a_companion_that_was_corrected_on_one_side_only_is_told(linked: Rig) -> None:
    copy = linked.copy_of(1)
    linked.operator.stimulus(REQUEST, copy, "ev_assign", **TEAM)
    linked.operator.stimulus(REQUEST, copy, "ev_pending", pending_reason="On leave")
    linked.settle(2)
    assert compared(linked) == []
    linked.operator.update(REQUEST, copy, pending_reason="On holiday")
    assert compared(linked) == [f"{LINK}: pending_reason of internal is not what pending_reason of external says"]


@pytest.mark.parametrize("changed", [None, *Side])
def test_a_companion_that_differed_before_the_link_is_told_once_it_was_changed(
    rig: Rig, blind: pytest.MonkeyPatch, changed: Side | None
) -> None:
    numbers = {}
    for side in Side:
        numbers[side] = rig.agent(side).create(REQUEST, title="Printer", service_id=1, start_date="2026-11-01 00:00:00")
        rig.agent(side).stimulus(REQUEST, numbers[side], "ev_assign", **TEAM)
        rig.agent(side).stimulus(REQUEST, numbers[side], "ev_pending", pending_reason=f"Known on {side}")
    refs = [Ref(side, REQUEST, numbers[side]) for side in Side]
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=None))
    blind.undo()
    rig.sync()
    blind.setattr(plan, "plan_link", lambda link, *_, **__: Plan(link))
    if changed is not None:
        rig.agent(changed).update(REQUEST, numbers[changed], pending_reason="Another one")
    told = [f"{refs[0]}: pending_reason of internal is not what pending_reason of external says"]
    assert compared(rig) == told * (changed is not None)
    assert [why for kind, why in excused(rig) if kind == "field"] == [
        "it differed when the two were linked by hand, or found again, and neither has changed since"
    ] * (changed is None)


def test_a_state_that_differed_before_the_link_is_told_once_it_was_changed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for side, state in ((Side.EXTERNAL, "closed"), (Side.INTERNAL, "resolved")):
        number = rig.agent(side).create(REQUEST, title="Printer", service_id=1, start_date="2026-11-01 00:00:00")
        rig.agent(side).stimulus(REQUEST, number, "ev_assign", **TEAM)
        rig.agent(side).stimulus(REQUEST, number, "ev_resolve", solution="Done", resolution_code="assistance", service_id=1)
        if state == "closed":
            rig.agent(side).stimulus(REQUEST, number, "ev_close", user_satisfaction="1")
    refs = [Ref(side, REQUEST, 1) for side in Side]
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=None))
    rig.sync()
    rig.operator.update(REQUEST, 1, solution="Done properly")  # waits for the states to meet
    rig.settle(2)
    assert compared(rig) == []
    monkeypatch.setattr(plan, "plan_link", lambda link, *_, **__: Plan(link))
    rig.operator.stimulus(REQUEST, 1, "ev_reopen", **TEAM)
    assert compared(rig) == [f"{LINK}: the state is 'closed' on external and 'assigned' on internal"]


def test_a_companion_that_was_corrected_is_told_while_the_states_differ_too(linked: Rig, blind: pytest.MonkeyPatch) -> None:
    resolved = {"solution": "<p>Done.</p>", "resolution_code": "assistance", "service_id": 1}
    for side, number in ((Side.EXTERNAL, 1), (Side.INTERNAL, linked.copy_of(1))):
        linked.agent(side).stimulus(REQUEST, number, "ev_assign", **TEAM)
        linked.agent(side).stimulus(REQUEST, number, "ev_resolve", **resolved)
    assert compared(linked) == []
    linked.operator.update(REQUEST, linked.copy_of(1), solution="<p>Done properly.</p>")
    linked.customer.stimulus(REQUEST, 1, "ev_close", user_satisfaction="1")
    assert compared(linked) == [
        f"{LINK}: the state is 'closed' on external and 'resolved' on internal",
        f"{LINK}: solution of internal is not what solution of external says",
    ]


def test_a_link_by_hand_is_taken_as_it_was(rig: Rig) -> None:
    old = "2026-11-01 00:00:00"  # before scope.since: no copy is made of it
    rig.customer.create(REQUEST, title="Printer", start_date=old, private_log="<p>It smokes.</p>")
    other = rig.operator.create(REQUEST, title="A printer", private_log="<p>They called.</p>")
    rig.operator.attach(REQUEST, other, "a.txt", "text/plain", b"a")
    rig.sync()
    both = Ref(Side.EXTERNAL, REQUEST, 1), Ref(Side.INTERNAL, REQUEST, other)
    linking.join(rig.pair, linking.compare(rig.inspector, *both, history=None))
    rig.settle(2)
    assert compared(rig) == []
    kinds = {kind for kind, _ in excused(rig)}
    assert kinds >= {"entry", "field", "file"}
    rig.customer.note(REQUEST, 1, "<p>It burns.</p>")
    assert compared(rig) == [f"{LINK}: external: entry 2 of private_log has no mirror on internal"]


def test_what_differed_in_a_lost_store_is_excused_until_it_changes(linked: Rig, tmp_path: Path) -> None:
    linked.operator.update(REQUEST, linked.copy_of(1), title="Another title")
    linked.stop()
    (tmp_path / "store.sqlite").unlink()
    linked.start()
    list(rebuild(linked.inspector))
    linked.settle(2)
    assert compared(linked) == []
    assert ("field", "it differed when the two were linked by hand, or found again, and neither has changed since") in excused(
        linked
    )


def test_what_is_written_while_it_looks_is_read_once_more(linked: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    linked.customer.note(REQUEST, 1, "<p>It burns.</p>")
    get, asked = Links.get, []

    def reading(links: Links, ids: list[int]) -> object:
        asked.append(ids)
        if len(asked) == 3:  # the planner's, the comparison's, and once more
            linked.sync()
        return get(links, ids)

    monkeypatch.setattr(Links, "get", reading)
    assert compared(linked) == []
    assert len(asked) >= 3


@pytest.mark.parametrize("traceless", [False, True])
def test_a_pictures_copy_that_somebody_deleted_is_not_made_again_and_no_difference(linked: Rig, *, traceless: bool) -> None:
    for number in range(2):
        picture = linked.customer.paste_image(REQUEST, 1, "s.png", "image/png", PICTURE + bytes([number]))
        if number:
            linked.customer.update(REQUEST, 1, description=f"<p>Look</p>{picture}")
        else:
            linked.customer.note(REQUEST, 1, f"<p>Look</p>{picture}")
    linked.sync()
    linked.settle(1)
    copies = [attachment["id"] for attachment in linked.internal.ticket(REQUEST, linked.copy_of(1))["attachments"]]
    assert len(copies) == 2
    assert compared(linked) == []
    for copy in copies:
        if traceless:
            linked.internal.store.remove("Attachment", copy)
        else:
            linked.operator.delete_attachment(copy)
    linked.customer.note(REQUEST, 1, "<p>So?</p>")
    linked.settle(2)
    assert linked.internal.ticket(REQUEST, linked.copy_of(1))["attachments"] == []
    assert compared(linked) == []
    assert {why for _, why in excused(linked)} == {"somebody deleted the copy of its picture"}
