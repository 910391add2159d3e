"""Two servers whose classes have nothing in common but the rules: every name and every code goes through its map."""

from __future__ import annotations

from dataclasses import replace

from itopsync.model import Agreed, Link, LinkStatus, Observation, Ref, Ticket
from itopsync.reconcile import agree
from itopsync.reconcile.markers import ticket_marker
from itopsync.reconcile.plan import Write
from itopsync.reconcile.richtext import value_fingerprint
from itopsync.reconcile.rules import Direction, FieldRule, Kind, Lifecycle, StateRules
from tests.reconcile.making import (
    EXTERNAL,
    INTERNAL,
    NOW,
    OPENED,
    creates,
    default_rules,
    of_class,
    ours,
    plan,
    unlinked,
    writes,
)

WISH = Lifecycle(
    "open",
    {
        "open": {"ev_take": "doing"},
        "doing": {"ev_ask": "asked", "ev_solve": "solved"},
        "asked": {"ev_allow": "allowed"},
        "allowed": {"ev_solve": "solved"},
        "solved": {"ev_end": "ended"},
    },
    {"doing": frozenset({"group"}), "solved": frozenset({"answer"}), "open": frozenset(), "ended": frozenset()},
    decisions=frozenset({"allowed"}),
    settled=frozenset({"solved"}),
)
JOB = Lifecycle(
    "fresh",
    {
        "fresh": {"do_start": "running"},
        "running": {"do_query": "query", "do_finish": "finished"},
        "query": {"do_permit": "permitted"},
        "permitted": {"do_finish": "finished"},
        "finished": {"do_archive": "archived"},
    },
    {"running": frozenset({"crew"}), "finished": frozenset({"outcome"}), "fresh": frozenset(), "archived": frozenset()},
    decisions=frozenset({"permitted"}),
    settled=frozenset({"finished"}),
)
IN = {"open": "fresh", "doing": "running", "asked": "query", "allowed": "permitted", "solved": "finished", "ended": "archived"}
ANSWER = FieldRule("answer", "outcome", Kind.CODE, Direction.BOTH, to_internal={"yes": "1"}, to_external={"1": "yes"})
CLASS = replace(
    of_class(default_rules(), "UserRequest").for_external("UserRequest"),
    external="Wish",
    internal="Job",
    state=StateRules(WISH, JOB, to_internal=IN, to_external={v: k for k, v in IN.items()}, companions={"solved": (ANSWER,)}),
    fields=(
        FieldRule("subject", "name", limit=20),
        FieldRule("weight", "rank", Kind.CODE, to_internal={"heavy": "9"}, to_external={"9": "heavy"}),
        FieldRule("colour", "shade", Kind.CODE, Direction.TO_EXTERNAL),
        FieldRule("place", "room"),
    ),
    on_create=("org_id", "caller_id"),
    since_attribute="began",
)
RULES = replace(
    default_rules(),
    classes=(CLASS,),
    external=replace(default_rules().external, defaults={"group": 3}),
    internal=replace(default_rules().internal, defaults={"crew": 7, "org_id": 5, "caller_id": 6, "other": 1}),
)
LINK = replace(unlinked("Wish"), external=Ref(EXTERNAL, "Wish", 1))
MARK = ours(INTERNAL, ticket_marker(RULES.pair, LINK.external))


def wish(state: str = "open", **fields: str) -> Ticket:
    shown = {"subject": "Chair", "weight": "heavy", "began": OPENED.isoformat(), **fields}
    return Ticket(Ref(EXTERNAL, "Wish", 1), "W-1", "1", state, shown, {"private_log": ()})


def job(state: str = "fresh", **fields: str) -> Ticket:
    return Ticket(Ref(INTERNAL, "Job", 2), "J-2", "1", state, {"name": "Chair", "rank": "9", **fields}, {"private_log": (MARK,)})


def made() -> Link:
    (action,) = creates(plan(LINK, Observation(wish(), None), RULES))
    return agree.created(LINK, action, wish(), job(), cls=CLASS, now=NOW)


def running() -> Link:
    """A pair that agreed on being worked on."""
    return replace(made(), base=replace(made().base, state=Agreed("doing", "running")))


def sent(external: Ticket, internal: Ticket, link: Link | None = None) -> list[tuple[str, str | None, dict[str, object]]]:
    planned = plan(link or made(), Observation(external, internal), RULES)
    return [(str(write.side), write.stimulus, dict(write.fields)) for write in writes(planned)]


def test_a_copy_is_made_of_what_goes_there_under_the_names_it_has_there() -> None:
    planned = plan(LINK, Observation(wish(colour="red"), None), RULES)

    (action,) = creates(planned)
    assert dict(action.fields) == {"org_id": 5, "caller_id": 6, "name": "Chair", "rank": "9"}
    assert dict(action.agrees) == {"subject": value_fingerprint("Chair"), "weight": value_fingerprint("heavy")}
    assert planned.link.external_number == "W-1"


def test_the_base_of_a_new_copy() -> None:
    link = made()

    assert (link.status, link.internal, link.internal_number) == (LinkStatus.LINKED, Ref(INTERNAL, "Job", 2), "J-2")
    assert link.base.state == Agreed("open", "fresh")
    nothing = value_fingerprint("")
    assert dict(link.base.fields) == {
        "subject": Agreed(value_fingerprint("Chair"), value_fingerprint("Chair")),
        "weight": Agreed(value_fingerprint("heavy"), value_fingerprint("9")),
        "answer": Agreed(nothing, nothing),
        "colour": Agreed(nothing, nothing),
        "place": Agreed(nothing, nothing),
    }
    assert dict(link.base.notes) == {}


def test_what_was_not_carried_when_the_copy_was_made_is_still_to_come() -> None:
    (action,) = creates(plan(LINK, Observation(wish(place="Attic"), None), RULES))
    without = replace(action, agrees={name: value for name, value in action.agrees.items() if name != "place"})

    link = agree.created(LINK, without, wish(place="Attic"), job(), cls=CLASS, now=NOW)

    assert "place" not in link.base.fields
    assert sent(wish(place="Attic"), job(), link) == [("internal", None, {"room": "Attic"})]


def test_the_form_goes_under_its_names_and_codes() -> None:
    assert sent(wish(subject="Table", weight="light"), job()) == [("internal", None, {"name": "Table", "rank": "light"})]
    assert sent(wish(), job(shade="dark")) == [("external", None, {"colour": "dark"})]
    assert sent(wish(subject=""), job()) == [("internal", None, {"name": ""})]


def test_a_field_that_goes_to_external_only_is_never_written_in_internal() -> None:
    assert sent(wish(colour="red"), job()) == []


def test_states_go_by_their_maps_with_the_defaults_of_the_side_that_follows() -> None:
    assert sent(wish("doing"), job()) == [("internal", "do_start", {"crew": 7})]
    assert sent(wish(), job("running")) == [("external", "ev_take", {"group": 3})]
    assert sent(wish("doing"), job(crew="8")) == [("internal", "do_start", {})]


def test_what_goes_with_a_state_goes_with_the_step_that_enters_it() -> None:
    assert sent(wish("solved", answer="yes"), job()) == [
        ("internal", "do_start", {"crew": 7}),
        ("internal", "do_finish", {"outcome": "1"}),
    ]
    assert sent(wish(), job("finished", outcome="1")) == [
        ("external", "ev_take", {"group": 3}),
        ("external", "ev_solve", {"answer": "yes"}),
    ]


def test_what_goes_with_a_state_is_left_out_where_it_stands_already_or_says_nothing() -> None:
    assert sent(wish("solved", answer="yes"), job("running", outcome="1"), running())[-1] == ("internal", "do_finish", {})
    assert sent(wish("solved"), job("running", outcome="2"), running())[-1] == ("internal", "do_finish", {})


def test_a_way_through_a_state_takes_along_what_goes_with_that_state() -> None:
    steps = sent(wish("ended", answer="yes"), job("running"), running())

    assert steps == [("internal", "do_finish", {"outcome": "1"}), ("internal", "do_archive", {})]


def test_a_decision_that_was_taken_on_one_side_may_lie_on_the_way_of_the_other() -> None:
    link = made()
    asked = replace(link, base=replace(link.base, state=Agreed("asked", "query")))

    assert [step[1] for step in sent(wish("solved"), job("query"), asked)] == ["do_permit", "do_finish"]
    assert [step[1] for step in sent(wish("asked"), job("finished"), asked)] == ["ev_allow", "ev_solve"]


def test_where_a_side_is_headed_is_noted_before_the_first_step() -> None:
    planned = plan(made(), Observation(wish("solved"), job()), RULES)

    heading = planned.link.base.heading
    assert heading is not None
    assert (heading.side, heading.states) == (INTERNAL, ("fresh", "running", "finished"))
    assert [action.leads_to for action in planned.actions if isinstance(action, Write)] == ["running", "finished"]


def test_sides_that_correspond_are_agreed_on_under_their_own_names() -> None:
    link = made()
    headed = replace(
        link, base=replace(link.base, heading=plan(link, Observation(wish("doing"), job()), RULES).link.base.heading)
    )

    planned = plan(headed, Observation(wish("doing"), job("running")), RULES)

    assert planned.link.base.state == Agreed("doing", "running")
    assert planned.link.base.heading is None
