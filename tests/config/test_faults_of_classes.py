"""What can be wrong with the classes of a ``sync.toml``: directions, logs, attributes, states and lifecycles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.making import REQUESTS_AS_INCIDENTS, TO_INCIDENT, Case, Changes, check_fault

CHANGE: Changes = {"classes": {"NormalChange": {}}}
TABLE: list[Case] = [
    # directions
    ("new tickets outwards", {"rules.new_tickets": "both"}, "rules.new_tickets", "never copied", "to_internal"),
    ("no direction", {"rules.form": {"title": "out"}}, "rules.form.title", "'out' is not valid", "'to_internal'"),
    ("a part of no form", {"rules.form": {"titel": "both"}}, "rules.form.titel", "titel is not carried", "title?"),
    ("a log that is not paired", {"rules.notes": {"public_log": "never"}}, "rules.notes.public_log", "not carried", "Remove"),
    (
        "a part of another class's form",
        {"classes": {"NormalChange": {"rules": {"form": {"impact": "both"}}}}},
        "classes.NormalChange.rules.form.impact",
        "impact is not carried",
        "Remove it",
    ),
    (
        "a log that the class has not paired",
        {"classes.UserRequest.rules.notes": {"privat_log": "never"}},
        "classes.UserRequest.rules.notes.privat_log",
        "not carried",
        "private_log?",
    ),
    ("parts of a state", {"rules.state": {"new": "both"}}, "rules.state", "this is not valid", "'to_internal'"),
    ("nothing to begin with", {"rules.form": "never"}, "classes.UserRequest.form", "no title and no description", "Carry"),
    # logs
    ("no log", {"logs": []}, "logs", "there is none", "at least one"),
    ("a log twice", {"logs": [{}, {}]}, "logs", "paired twice", "once"),
    ("a misspelt log", {"logs": [{"external": "privat_log"}]}, "logs", "has a case log privat_log", "private_log?"),
    (
        "a log of no class",
        {**CHANGE, "logs": [{}, {"external": "public_log", "internal": "public_log"}]},
        "logs",
        "public",
        "There are",
    ),
    (
        "a class without the paired logs",
        {"classes.NormalChange": {}, "logs": [{"external": "public_log", "internal": "public_log"}]},
        "classes.NormalChange.logs",
        "has none of the logs",
        "private_log",
    ),
    ("no log of a class", {"classes.UserRequest.logs": []}, "classes.UserRequest.logs", "there is none", "at least one"),
    (
        "a log of a class twice",
        {"classes.UserRequest.logs": [{}, {"external": "public_log"}]},
        "classes.UserRequest.logs",
        "paired twice",
        "once",
    ),
    (
        "a field for a log",
        {"classes.UserRequest.logs": [{"internal": "description"}]},
        "classes.UserRequest.logs",
        "not a case log",
        "public_log",
    ),
    (
        "a misspelt log of a class",
        {"classes.UserRequest.logs": [{"internal": "privatelog"}]},
        "classes.UserRequest.logs",
        "no case log privatelog",
        "private_log?",
    ),
    # classes
    ("an unknown class", {"classes.UserRequst": {}}, "classes.UserRequst", "no ticket class", "UserRequest?"),
    ("a class of their own", {"classes.Ours": {}}, "classes.Ours", "no ticket class", "classes.Ours.like"),
    (
        "an unknown internal class",
        {"classes.UserRequest.internal": "Incidnt"},
        "classes.UserRequest.internal",
        "no ticket class Incidnt",
        "Incident?",
    ),
    ("like no class", {"classes.Ours": {"like": "Incidnt"}}, "classes.Ours.like", "no ticket class", "Incident?"),
    # attributes
    *(
        (
            f"what iTop shows of a person or an organisation: {name}",
            {"classes.UserRequest.form": ["title"], "classes.UserRequest.attributes.title.internal": name},
            "classes.UserRequest.form",
            "never carried",
            "defaults",
        )
        for name in ("agent_name", "agent_id_friendlyname", "team_name", "caller_email", "org_name")
    ),
    ("a person in the form", {"classes.UserRequest.form": ["agent_id"]}, "classes.UserRequest.form", "never carried", "defaults"),
    (
        "a state in the form",
        {"classes.UserRequest.form": ["status"]},
        "classes.UserRequest.form",
        "keeps status",
        "from the list",
    ),
    ("a log in the form", {"classes.UserRequest.form": ["public_log"]}, "classes.UserRequest.form", "case log", "[[logs]]"),
    (
        "an id in the form",
        {"classes.UserRequest.form": ["service_id"]},
        "classes.UserRequest.form",
        "mean nothing",
        "to_internal",
    ),
    (
        "a parent in the form",
        {"classes.UserRequest.form": ["parent_request_id"]},
        "classes.UserRequest.form",
        "mean nothing",
        "map",
    ),
    ("an unknown attribute", {"classes.UserRequest.form": ["titel"]}, "classes.UserRequest.form", "no attribute titel", "title?"),
    ("an attribute of their own", {"classes.UserRequest.form": ["xyz"]}, "classes.UserRequest.form", "no attribute xyz", ".kind"),
    (
        "an attribute that the other class lacks",
        {**REQUESTS_AS_INCIDENTS, "classes.UserRequest.form": ["title", "description", "request_type"]},
        "classes.UserRequest.form",
        "Incident has no attribute request_type",
        ".internal",
    ),
    (
        "a counterpart that is not there",
        {"classes.UserRequest.attributes.title.internal": "titel"},
        "classes.UserRequest.attributes.title.internal",
        "no attribute titel",
        "title?",
    ),
    (
        "a counterpart of another kind",
        {"classes.UserRequest.attributes.title.internal": "description"},
        "classes.UserRequest.form",
        "title is text in UserRequest, and description is html",
        ".internal",
    ),
    (
        "two for one",
        {
            "classes.UserRequest.form": ["title", "description", "impact", "urgency"],
            "classes.UserRequest.attributes.impact.internal": "urgency",
        },
        "classes.UserRequest.attributes.urgency.internal",
        "impact is written to urgency as well",
        "its own",
    ),
    (
        "an attribute that is not carried",
        {"classes.UserRequest.attributes.origin.kind": "code"},
        "classes.UserRequest.attributes.origin",
        "not carried",
        "classes.UserRequest.form",
    ),
    (
        "a template without its value",
        {"classes.UserRequest.attributes.title.template": "[{number}]"},
        "classes.UserRequest.attributes.title.template",
        "not contain the value",
        "{value}",
    ),
    (
        "a template with another place",
        {"classes.UserRequest.attributes.title.template": "{value} {org}"},
        "classes.UserRequest.attributes.title.template",
        "would fill {org}",
        "{number}",
    ),
    (
        "a template for a code",
        {"classes.UserRequest.attributes.impact.template": "x{value}"},
        "classes.UserRequest.attributes.impact.template",
        "for texts",
        "Remove it",
    ),
    (
        "a template that comes back",
        {"rules.form": "both", "classes.UserRequest.attributes.title.template": "[{number}] {value}"},
        "classes.UserRequest.attributes.title.template",
        "come back to external",
        "to_internal",
    ),
    (
        "a value map for a text",
        {"classes.UserRequest.attributes.title.to_internal": {"a": "b"}},
        "classes.UserRequest.attributes.title.to_internal",
        "maps are for codes",
        "kind = code",
    ),
    (
        "two values onto one",
        {"classes.UserRequest.attributes.impact.to_internal": {"1": "1", "2": "1"}},
        "classes.UserRequest.attributes.impact.to_internal",
        "1, 2 all become '1'",
        "classes.UserRequest.attributes.impact.to_external",
    ),
    (
        "a value onto one that goes as it is",
        {"classes.UserRequest.attributes.urgency.to_internal": {"4": "3"}},
        "classes.UserRequest.attributes.urgency.to_internal",
        "3, 4 all become '3'",
        "classes.UserRequest.attributes.urgency.to_external",
    ),
    (
        "two values back onto one",
        {"classes.UserRequest.attributes.impact.to_external": {"1": "5", "2": "5"}},
        "classes.UserRequest.attributes.impact.to_external",
        "1, 2 all become '5'",
        "classes.UserRequest.attributes.impact.to_internal",
    ),
    # states
    (
        "a state that the external class lacks",
        {"classes.UserRequest.states.to_internal": {"pendng": "pending"}},
        "classes.UserRequest.states.to_internal.pendng",
        "UserRequest has no state 'pendng'",
        "pending?",
    ),
    (
        "a state that the internal class lacks",
        {"classes.UserRequest.states.to_internal": {"pending": "waiting"}},
        "classes.UserRequest.states.to_internal.pending",
        "UserRequest has no state 'waiting'",
        "There are: approved, assigned",
    ),
    (
        "a state back that is not there",
        {"classes.UserRequest.states.to_external": {"pending": "parked"}},
        "classes.UserRequest.states.to_external.pending",
        "no state 'parked'",
        "There are: approved",
    ),
    (
        "two states onto one",
        {"classes.UserRequest.states.to_internal": {"escalated_tto": "new"}},
        "classes.UserRequest.states.to_internal",
        "new, escalated_tto all become 'new'",
        "classes.UserRequest.states.to_external",
    ),
    (
        "two states back onto one",
        {"classes.UserRequest.states.to_external": {"escalated_ttr": "pending"}},
        "classes.UserRequest.states.to_external",
        "pending, escalated_ttr all become 'pending'",
        "classes.UserRequest.states.to_internal",
    ),
    (
        "states without a counterpart",
        TO_INCIDENT,
        "classes.UserRequest.states.to_internal",
        "no state of Incident corresponds to waiting_for_approval, approved, rejected",
        "left_out",
    ),
    (
        "states without a way back",
        {"classes": {"Incident": {"internal": "UserRequest"}}},
        "classes.Incident.states.to_external",
        "no state of Incident corresponds to waiting_for_approval, approved, rejected",
        "left_out",
    ),
    (
        "a state left out that there is not",
        {"classes.UserRequest.states.left_out": {"late": "new"}},
        "classes.UserRequest.states.left_out.late",
        "no state 'late'",
        "There are: approved",
    ),
    (
        "a state left out for another one left out",
        {"classes.UserRequest.states.left_out": {"escalated_ttr": "escalated_tto", "escalated_tto": "new"}},
        "classes.UserRequest.states.left_out.escalated_ttr",
        "left out as well",
        "is carried",
    ),
    (
        "a state left out and mapped",
        {
            "classes.UserRequest.states.left_out": {"escalated_ttr": "assigned"},
            "classes.UserRequest.states.to_internal": {"escalated_ttr": "assigned"},
        },
        "classes.UserRequest.states.left_out.escalated_ttr",
        "mapped in to_internal",
        "Keep one",
    ),
    (
        "the first state left out",
        {"classes.UserRequest.states.left_out": {"new": "assigned"}},
        "classes.UserRequest.states.left_out.new",
        "begins in it",
        "Remove it",
    ),
    (
        "a state left out for one that is not there",
        {"classes.UserRequest.states.left_out": {"escalated_ttr": "assignd"}},
        "classes.UserRequest.states.left_out.escalated_ttr",
        "no state 'assignd'",
        "assigned?",
    ),
    (
        "companions of no state",
        {"classes.UserRequest.companions": {"solved": ["solution"]}},
        "classes.UserRequest.companions.solved",
        "no state 'solved'",
        "resolved?",
    ),
    (
        "a companion that is a person",
        {"classes.UserRequest.companions": {"resolved": ["agent_id"]}},
        "classes.UserRequest.companions.resolved",
        "never carried",
        "defaults",
    ),
    # lifecycles
    (
        "a transition to nowhere",
        {"classes.UserRequest.lifecycle.internal.transitions": {"new": {"ev_x": "assignd"}}},
        "classes.UserRequest.lifecycle.internal.transitions.new.ev_x",
        "no state 'assignd'",
        "assigned?",
    ),
    (
        "a transition to a new state",
        {"classes.UserRequest.lifecycle.internal.transitions": {"new": {"ev_x": "xyz"}}},
        "classes.UserRequest.lifecycle.internal.transitions.new.ev_x",
        "no state 'xyz'",
        "transitions.xyz",
    ),
    (
        "a transition taken away that is not there",
        {"classes.UserRequest.lifecycle.internal.transitions": {"new": {"ev_asign": ""}}},
        "classes.UserRequest.lifecycle.internal.transitions.new.ev_asign",
        "has no ev_asign",
        "ev_assign?",
    ),
    (
        "demands of no state",
        {"classes.UserRequest.lifecycle.external.mandatory": {"solved": ["solution"]}},
        "classes.UserRequest.lifecycle.external.mandatory.solved",
        "no state 'solved'",
        "resolved?",
    ),
    (
        "a decision that is no state",
        {"classes.UserRequest.lifecycle.external.decisions": ["aproved"]},
        "classes.UserRequest.lifecycle.external.decisions",
        "no state 'aproved'",
        "approved?",
    ),
]


@pytest.mark.parametrize("case", TABLE, ids=[case[0] for case in TABLE])
def test_a_fault_of_a_class_names_its_key_and_says_how_to_mend_it(case: Case, tmp_path: Path) -> None:
    check_fault(tmp_path, case)
