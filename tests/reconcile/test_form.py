"""The SOP's row on the form: external's goes to internal, never back, and what a state demands goes with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itopsync.model import Agreed, ItemKey, Link, Observation, Obstacle, Side
from itopsync.reconcile.agree import announced
from itopsync.reconcile.by_hand import joined
from itopsync.reconcile.plan import TextSource, Write
from itopsync.reconcile.richtext import value_fingerprint
from tests.reconcile.making import (
    EXTERNAL,
    INTERNAL,
    MINUTE,
    NOW,
    agreed,
    both,
    creates,
    default_rules,
    file,
    kept,
    plan,
    rules,
    ticket,
    unlinked,
    uploads,
    writes,
)

PICTURE = '<img src="data:image/png;base64,iVBORw0KGgo=" alt="plan">'


def test_what_external_changes_is_written_in_internal_in_one_call() -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, title="Scanner", urgency="2")))

    (write,) = writes(planned)
    assert (write.side, dict(write.fields)) == (INTERNAL, {"title": "Scanner", "urgency": "2"})


def test_what_internal_changes_stays_there_and_is_told() -> None:
    planned = plan(agreed(), both(internal=ticket(INTERNAL, title="Mine")))

    assert planned.actions == ()
    assert ("internal edit kept", "field") in kept(planned)


def test_externals_change_goes_over_internals() -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, title="Scanner"), ticket(INTERNAL, title="Mine")))

    assert dict(writes(planned)[0].fields) == {"title": "Scanner"}


def test_the_same_change_on_both_sides_is_agreed_without_a_call() -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, title="Scanner"), ticket(INTERNAL, title="Scanner")))

    assert planned.actions == ()
    assert planned.link.base.fields["title"].external == value_fingerprint("Scanner")


def test_what_arrived_without_an_answer_is_nobodys_edit_though_the_direction_was_closed_since() -> None:
    """It stands in external as the gate let it out."""
    told, left = "Rack 7 https://desk.example.com/itop/7", "Rack 7 [link]"
    went = Write(EXTERNAL, {"title": left}, (), (), {"title": value_fingerprint(told)})
    link = announced(agreed(), [went], default_rules().for_external("UserRequest"), both())
    planned = plan(link, both(ticket(EXTERNAL, title=left), ticket(INTERNAL, title=told)))

    assert planned.actions == ()
    assert planned.link.base.fields["title"].internal == value_fingerprint(told)
    assert planned.link.base.sent == {}


def test_a_field_that_goes_both_ways_goes_back_and_internal_wins() -> None:
    these = rules(classes__UserRequest__rules={"form": {"title": "both"}})
    link = agreed(these=these)

    back = plan(link, both(internal=ticket(INTERNAL, title="Mine")), these)
    conflict = plan(link, both(ticket(EXTERNAL, title="Scanner"), ticket(INTERNAL, title="Mine")), these)

    for planned in (back, conflict):
        assert [(write.side, dict(write.fields)) for write in writes(planned)] == [(EXTERNAL, {"title": "Mine"})]


def test_a_field_that_is_refused_waits_and_a_new_value_is_tried() -> None:
    def refused(value: str) -> Link:
        obstacle = Obstacle(
            ItemKey("field:title"), f"internal:{value_fingerprint(value)}", "no", 1, parked=False, not_before=NOW + MINUTE
        )
        return replace(agreed(), obstacles=(obstacle,))

    assert plan(refused("Scanner"), both(ticket(EXTERNAL, title="Scanner"))).actions == ()
    assert len(plan(refused("Scanner"), both(ticket(EXTERNAL, title="Other"))).actions) == 1


# texts


def test_a_picture_in_a_description_is_attached_first() -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, description=f"<p>{PICTURE}</p>")))

    assert [planned.actions[0]] == uploads(planned)
    assert "itopsync-picture:" in str(writes(planned)[0].fields["description"])


def test_a_description_waits_for_its_picture() -> None:
    seen = both(ticket(EXTERNAL, description=f"<p>{PICTURE}</p>"))
    (upload,) = uploads(plan(agreed(), seen))
    waiting = Obstacle(upload.item.key, "", "too large", 1, parked=False, not_before=NOW + MINUTE)

    assert plan(replace(agreed(), obstacles=(waiting,)), seen).actions == ()
    told = plan(replace(agreed(), obstacles=(replace(waiting, parked=True),)), seen)
    assert "[picture not carried: plan]" in str(writes(told)[0].fields["description"])


@pytest.mark.parametrize("length", [1, 254, 255])
def test_a_text_that_fits_is_written_whole(length: int) -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, title="é" * length)))

    assert dict(writes(planned)[0].fields) == {"title": "é" * length}
    assert uploads(planned) == []


def test_a_title_that_does_not_fit_is_cut_and_goes_whole_as_a_file() -> None:
    these = rules(classes__UserRequest__attributes={"title": {"template": "[{number}] {value}"}})

    planned = plan(agreed(these=these), both(ticket(EXTERNAL, title="x" * 255)), these)

    (upload,) = uploads(planned)
    assert upload.source == TextSource("title.txt", f"[R-000001] {'x' * 255}")
    title = str(writes(planned)[0].fields["title"])
    assert len(title.encode()) == 255, "iTop before 3.1 counts bytes"
    assert title.endswith("…")
    there = both(ticket(EXTERNAL, title="x" * 255), ticket(INTERNAL, files=(file(8, upload.marker, ticket=2),)))
    assert uploads(plan(agreed(these=these), there, these)) == []


def test_a_description_that_does_not_fit_says_where_the_rest_is() -> None:
    text = f"<p>{'é' * 32_000}</p>{PICTURE * 20}"

    planned = plan(agreed(), both(ticket(EXTERNAL, description=text)))

    whole = [upload for upload in uploads(planned) if isinstance(upload.source, TextSource)]
    assert [upload.source.name for upload in whole if isinstance(upload.source, TextSource)] == ["description.html"]
    assert len(str(writes(planned)[0].fields["description"]).encode()) <= 65_535
    assert "The whole text is in the attachment description.html." in str(writes(planned)[0].fields["description"])


def test_a_solution_that_does_not_fit_is_cut_as_plain_text() -> None:
    these = rules(classes__UserRequest__attributes={"title": {"template": "{value}{value}"}})
    limit = next(rule for rule in these.for_external("UserRequest").fields if rule.external == "title")
    long = replace(limit, limit=2_000)
    cls = replace(these.for_external("UserRequest"), fields=(long,))
    these = replace(these, classes=(cls,))

    planned = plan(agreed(these=these), both(ticket(EXTERNAL, title="é" * 1_500)), these)

    title = str(writes(planned)[0].fields["title"])
    assert len(title.encode()) <= 2_000
    assert title.endswith("The whole text is in the attachment title.txt.")


# a new copy


def test_a_new_copy_has_the_form_and_the_defaults_of_its_side() -> None:
    planned = plan(unlinked(), replace(both(), internal=None))

    (made,) = creates(planned)
    assert made.fields["org_id"] == {"name": "Acme"}
    assert made.fields["caller_id"] == 40
    assert made.fields["title"] == "Printer"


def test_a_picture_in_a_new_description_is_told_in_words_until_it_is_there() -> None:
    seen = replace(both(ticket(EXTERNAL, description=f"<p>{PICTURE}</p>")), internal=None)

    (made,) = creates(plan(unlinked(), seen))

    assert "[picture not carried: plan]" in str(made.fields["description"])
    assert "description" not in made.agrees


def test_a_field_that_was_refused_when_the_copy_was_made_is_left_out_of_it() -> None:
    parked = Obstacle(ItemKey("field:title"), f"internal:{value_fingerprint('Printer')}", "no", 8, parked=True, not_before=None)

    (made,) = creates(plan(replace(unlinked(), obstacles=(parked,)), replace(both(), internal=None)))

    assert "title" not in made.fields


# what a state takes along


def test_a_resolution_takes_its_solution_along_in_the_same_call() -> None:
    link = agreed(both(ticket(EXTERNAL, "assigned"), ticket(INTERNAL, "assigned")))
    resolved = ticket(INTERNAL, "resolved", solution="Restarted it", resolution_code="other")

    (write,) = writes(plan(link, both(ticket(EXTERNAL, "assigned"), resolved)))

    assert write.stimulus == "ev_resolve"
    assert write.fields["solution"] == "Restarted it"
    assert write.fields["resolution_code"] == "other"


def test_a_state_waits_for_its_solutions_picture_and_goes_with_a_word_once_that_is_given_up() -> None:
    link = agreed(both(ticket(EXTERNAL, "assigned"), ticket(INTERNAL, "assigned")))
    resolved = ticket(INTERNAL, "resolved", solution=f"<p>Done {PICTURE}</p>", resolution_code="other")
    seen = both(ticket(EXTERNAL, "assigned"), resolved)
    (upload,) = uploads(plan(link, seen))
    waiting = Obstacle(upload.item.key, "", "the server fails", 1, parked=False, not_before=NOW + MINUTE)

    held = plan(replace(link, obstacles=(waiting,)), seen)
    told = plan(replace(link, obstacles=(replace(waiting, parked=True),)), seen)

    assert held.actions == ()
    assert held.link.base.heading is None
    (write,) = writes(told, EXTERNAL)
    assert write.stimulus == "ev_resolve"
    assert "[picture not carried: plan]" in str(write.fields["solution"])


def test_what_a_state_demands_comes_from_the_defaults_unless_it_is_there() -> None:
    link, moved = agreed(), ticket(EXTERNAL, "assigned")

    empty = writes(plan(link, both(moved)))[0]
    chosen = writes(plan(link, both(moved, ticket(INTERNAL, team_id="12", agent_id="13"))))[0]

    assert (empty.fields["team_id"], empty.fields["agent_id"]) == (39, 9)
    assert not {"team_id", "agent_id"} & chosen.fields.keys()


def test_a_companion_that_is_corrected_goes_alone() -> None:
    seen = both(ticket(EXTERNAL, "pending", pending_reason="a"), ticket(INTERNAL, "pending", pending_reason="a"))
    link = agreed(seen)

    (write,) = writes(plan(link, replace(seen, internal=ticket(INTERNAL, "pending", pending_reason="b"))))

    assert (write.side, write.stimulus, dict(write.fields)) == (EXTERNAL, None, {"pending_reason": "b"})


@pytest.mark.parametrize("mover", list(Side))
def test_what_the_other_side_alone_corrected_is_not_overwritten_as_the_state_moves_on(mover: Side) -> None:
    link = agreed(both(*(ticket(side, "resolved", solution="old") for side in Side)))
    seen = both().with_(mover, ticket(mover, "closed", solution="old", user_comment="Thanks"))
    corrected = seen.with_(mover.other, ticket(mover.other, "resolved", solution="new"))
    followed = seen.with_(mover.other, ticket(mover.other, "closed", solution="new", user_comment="Thanks"))

    (close,) = writes(plan(link, corrected))
    (back,) = writes(plan(link, followed))

    assert (close.side, close.stimulus, dict(close.fields)) == (mover.other, "ev_close", {"user_comment": "Thanks"})
    assert (back.side, back.stimulus, dict(back.fields)) == (mover, None, {"solution": "new"})


@pytest.mark.parametrize("mover", list(Side))
def test_what_both_corrected_goes_with_the_state_of_who_moved_on(mover: Side) -> None:
    link = agreed(both(*(ticket(side, "resolved", solution="old") for side in Side)))
    moved, corrected = ticket(mover, "closed", solution="mine"), ticket(mover.other, "resolved", solution="theirs")

    (close,) = writes(plan(link, both().with_(mover, moved).with_(mover.other, corrected)))

    assert (close.stimulus, close.fields["solution"]) == ("ev_close", "mine")


def test_what_a_state_demands_goes_along_where_the_other_side_emptied_it() -> None:
    seen = [ticket(side, "resolved", solution="old", resolution_code="other") for side in Side]
    link = agreed(both(*seen))
    reopened = both(ticket(EXTERNAL, "assigned", resolution_code="other"), seen[1])
    assigned = replace(link, base=replace(link.base, state=Agreed("assigned", "assigned")))

    (write,) = writes(plan(assigned, reopened))

    assert (write.side, write.stimulus, write.fields["solution"]) == (EXTERNAL, "ev_resolve", "old")


def test_each_thing_goes_alone_once_a_call_was_refused() -> None:
    seen = both(ticket(EXTERNAL, "assigned", title="Scanner", urgency="2"))

    together, singly = plan(agreed(), seen), plan(agreed(), seen, singly=True)

    assert len(writes(together)) == 1
    assert [(write.stimulus, [item.key for item in write.items]) for write in writes(singly)] == [
        (None, ["field:title"]),
        (None, ["field:urgency"]),
        ("ev_assign", ["state"]),
    ]


def by_hand(seen: Observation) -> Link:
    """A pair that was linked by hand as it is, and is marked."""
    made = joined(agreed(), seen, default_rules(), NOW).link
    return replace(made, base=replace(made.base, notes={}))


@pytest.mark.parametrize("mover", list(Side))
def test_what_differed_when_two_were_linked_by_hand_stays_when_the_state_moves(mover: Side) -> None:
    seen = both(*(ticket(side, "resolved", solution=f"by {side}", resolution_code="other") for side in Side))
    link = by_hand(seen)
    assert plan(link, seen).actions == ()

    moved = ticket(mover, "closed", solution=f"by {mover}", resolution_code="other", user_comment="Thanks")
    (write,) = writes(plan(link, seen.with_(mover, moved)))
    assert (write.side, write.stimulus, dict(write.fields)) == (mover.other, "ev_close", {"user_comment": "Thanks"})

    since = ticket(mover, "closed", solution="New", resolution_code="other")
    (write,) = writes(plan(link, seen.with_(mover, since)))
    assert write.fields["solution"] == "New"


def test_a_long_text_that_stays_is_not_attached_to_the_other_ticket_either() -> None:
    long = f"<p>{'é' * 32_000}</p>{PICTURE * 20}"
    seen = both(ticket(EXTERNAL, "resolved", solution="short"), ticket(INTERNAL, "resolved", solution=long))

    assert uploads(plan(by_hand(seen), seen)) == []
