"""Each thing that an operator may ask for becomes one request under their name, and nothing else does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itopsync.engine import stops
from itopsync.store.records import RequestKind, RequestState
from tests.web.desk import NOW, STOP, Desk


@pytest.mark.parametrize(
    ("form", "kind", "arguments", "back"),
    [
        ({"kind": "pause", "for": "2h"}, "pause", {"until": (NOW + timedelta(hours=2)).isoformat()}, "/p/demo"),
        ({"kind": "pause", "side": "internal", "for": ""}, "pause", {"side": "internal"}, "/p/demo"),
        ({"kind": "unpause"}, "unpause", {}, "/p/demo"),
        ({"kind": "accept", "stop": "creations", "fingerprint": "f1"}, "accept", {"kind": "creations"}, "/p/demo/attention"),
        ({"kind": "sweep"}, "sweep", {}, "/p/demo"),
        ({"kind": "verify", "deep": "yes"}, "verify", {"deep": "yes"}, "/p/demo/verify"),
        ({"kind": "sync", "link": "2"}, "sync", {}, "/p/demo/t/2"),
        ({"kind": "retry", "link": "2", "back": "attention"}, "retry", {}, "/p/demo/attention"),
        ({"kind": "park", "link": "2"}, "park", {}, "/p/demo/t/2"),
        ({"kind": "resume", "link": "5"}, "resume", {}, "/p/demo/t/5"),
        ({"kind": "unlink", "link": "2", "sure": "yes"}, "unlink", {}, "/p/demo/t/2"),
    ],
)
def test_what_is_asked_for_is_written_down_with_who_asked(
    desk: Desk, form: dict[str, str], kind: str, arguments: dict[str, str], back: str
) -> None:
    answer = desk.post("/p/demo/ask", {**form, "reason": " we   upgrade\n"})
    (asked,) = desk.asked()
    assert (answer.status_code, answer.headers["location"]) == (303, f"{back}?asked={asked.id}")
    assert (asked.kind, asked.actor, asked.at, asked.reason) == (kind, "web:alice", NOW, "we upgrade")
    assert dict(asked.arguments) == arguments
    assert asked.link == (int(form["link"]) if "link" in form else None)
    assert asked.state is RequestState.WAITING
    shown = desk.get(f"{back}?asked={asked.id}").text
    assert f'hx-get="/p/demo/requests/{asked.id}"' in shown
    assert "web:alice" in desk.get("/p/demo/activity?show=requests").text


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"kind": "drop table"},
        {"kind": "link"},
        {"kind": "unlink", "link": "2"},
        {"kind": "unlink", "link": "2", "sure": "no"},
        {"kind": "retry"},
        {"kind": "retry", "link": "x"},
        {"kind": "retry", "link": "-1"},
        {"kind": "retry", "link": "9" * 30},
        {"kind": "park", "link": "77"},
        {"kind": "pause", "side": "both"},
        {"kind": "pause", "for": "soon"},
        {"kind": "unpause", "side": "x"},
    ],
)
def test_what_no_page_of_ours_sends_asks_for_nothing(desk: Desk, form: dict[str, str]) -> None:
    answer = desk.post("/p/demo/ask", form)
    assert (answer.status_code, "This form makes no sense" in answer.text) == (400, True)
    assert desk.asked() == []


def test_all_of_one_cause_are_retried_and_no_other(desk: Desk) -> None:
    text = desk.get("/p/demo/attention").text
    key = text.split('name="cause" value="', 1)[1].split('"', 1)[0]
    desk.post("/p/demo/ask", {"kind": "cause", "cause": key})
    assert [(each.kind, each.link, each.actor) for each in desk.asked()] == [
        (RequestKind.RETRY, 2, "web:alice"),
        (RequestKind.RETRY, 3, "web:alice"),
    ]
    assert desk.post("/p/demo/ask", {"kind": "cause", "cause": "gone"}).headers["location"] == "/p/demo/attention"


def test_a_stop_is_accepted_with_the_fingerprint_that_was_shown(desk: Desk) -> None:
    stops.note(desk.store, STOP)
    desk.post("/p/demo/ask", {"kind": "accept", "stop": "creations", "fingerprint": STOP.fingerprint})
    (asked,) = desk.asked()
    assert asked.fingerprint == STOP.fingerprint


def test_a_pair_that_is_not_shown_is_asked_for_nothing(desk: Desk) -> None:
    assert desk.post("/p/other/ask", {"kind": "sweep"}).status_code == 404


def test_a_form_that_is_no_text_is_refused(desk: Desk) -> None:
    answer = desk.post("/p/demo/ask", {f"field{number}": "x" for number in range(30)})
    assert answer.status_code == 400
