"""What one ticket makes its server, or what stands before it, answer holds up no other ticket."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from itopsync.engine import execute
from itopsync.model import LinkStatus, Side
from itopsync.reconcile import by_hand
from itopsync.simulator import Simulator
from tests.engine.rig import Rig

CLASS = "UserRequest"
Answer = Callable[[Side, dict[str, object], httpx.Response], httpx.Response | None]


def _as_it_is(_: Side, __: dict[str, object], ___: httpx.Response) -> None:
    return None


class _Between(httpx.BaseTransport):
    """Something between us and a server that may answer in its place."""

    def __init__(self, rig: BetweenRig, side: Side, inner: httpx.BaseTransport) -> None:
        self._rig, self._side, self._inner = rig, side, inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        found = re.search(rb'name="json_data"\r\n\r\n(.*?)\r\n--', request.read(), re.DOTALL)
        asked = json.loads(found[1]) if found else {}
        refused = self._rig.instead(self._side, asked)
        if refused is not None:
            return refused
        response = self._inner.handle_request(request)
        response.read()
        return self._rig.answer(self._side, asked, response) or response


@dataclass
class BetweenRig(Rig):
    """A rig in which answers can be replaced."""

    answer: Answer = _as_it_is
    instead: Callable[[Side, dict[str, object]], httpx.Response | None] = lambda *_: None

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        side = Side.EXTERNAL if simulator is self.external else Side.INTERNAL
        return _Between(self, side, super().make_transport(simulator))


@pytest.fixture
def between(tmp_path: Path) -> Iterator[BetweenRig]:
    rig = BetweenRig(tmp_path)
    yield rig
    rig.stop()


def _linked(rig: Rig, count: int) -> list[int]:
    numbers = [rig.customer.create(CLASS, title=f"No. {n}", private_log="<p>One</p>") for n in range(count)]
    rig.sync()
    rig.settle(1)
    return numbers


def _said(rig: Rig, number: int) -> bool:
    return any("Two" in entry.text for entry in rig.internal.ticket(CLASS, rig.copy_of(number))["private_log"])


@pytest.mark.parametrize("status", [302, 401, 404, 503])
def test_tickets_whose_write_is_refused_before_the_server_hold_up_nobody(between: BetweenRig, status: int) -> None:
    odd, *others = _linked(between, 6)
    toxic = [odd, others.pop()]
    copies = {between.copy_of(number) for number in toxic}

    def refuse(side: Side, asked: dict[str, object]) -> httpx.Response | None:
        writes = asked.get("operation") == "core/update" and side is Side.INTERNAL
        return httpx.Response(status, html="<p>no</p>", headers={"location": "/x"}) if writes and asked["key"] in copies else None

    between.instead = refuse
    for number in (*toxic, *others):
        between.customer.note(CLASS, number, "<p>Two</p>")
    for _ in range(3):  # a cycle each that ends with one of them, at the most
        between.sync()
        for number in toxic:
            between.customer.note(CLASS, number, "<p>Two again</p>")
    assert all(_said(between, number) for number in others)
    for _ in range(20):  # longer than the waits between all tries take
        between.wait(hours=1)
        between.engine.cycle()
    assert all(any(obstacle.parked for obstacle in between.link(number).obstacles) for number in toxic)
    between.instead = lambda *_: None
    for number in toxic:
        link = between.link(number)
        between.store.links.amend(link.id, lambda known: by_hand.retried(known, between.now), between.now)
    between.settle(3)
    assert all(_said(between, number) for number in toxic)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("status", [401, 503])
def test_a_ticket_whose_read_is_answered_as_if_the_server_were_away_holds_up_nobody(
    between: BetweenRig, side: Side, status: int
) -> None:
    odd, *others = _linked(between, 5)
    number = side.pick(odd, between.copy_of(odd))

    def refuse(where: Side, asked: dict[str, object]) -> httpx.Response | None:
        whole = where is side and asked.get("operation") == "core/get" and "private_log" in str(asked.get("output_fields"))
        hit = whole and f",{number}," in f",{_ids(str(asked['key']))},"
        return httpx.Response(status, json={"code": 1, "message": "no"}) if hit else None

    between.instead = refuse
    for each in (odd, *others):
        between.customer.note(CLASS, each, "<p>Two</p>")
    report = between.sync()
    assert report.problems == {}
    assert all(_said(between, each) for each in others)
    assert [obstacle.tries for obstacle in between.link(odd).obstacles] == [1]
    between.instead = lambda *_: None
    between.settle()
    assert between.differences() == []


def _ids(query: str) -> str:
    return query.partition("IN (")[2].partition(")")[0].replace(" ", "")


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"])
def test_an_absurd_clock_that_a_server_shows_once_harms_nothing(between: BetweenRig, side: Side, date: str) -> None:
    (number,) = _linked(between, 1)

    def set_clock(where: Side, _: dict[str, object], response: httpx.Response) -> httpx.Response | None:
        return httpx.Response(response.status_code, content=response.content, headers={"date": date}) if where is side else None

    between.answer = set_clock
    between.sync()
    between.answer = _as_it_is
    between.customer.note(CLASS, number, "<p>Two</p>")
    between.sync()
    assert _said(between, number)
    between.settle()
    assert between.differences() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("key", 10**30), ("key", -1), ("class", "Odd"), ("last_update", "\ud800")],
)
@pytest.mark.parametrize("side", list(Side))
def test_a_row_that_cannot_be_is_its_tickets_trouble(between: BetweenRig, side: Side, name: str, value: object) -> None:
    odd, *others = _linked(between, 3)
    number = side.pick(odd, between.copy_of(odd))

    def alter(where: Side, asked: dict[str, object], response: httpx.Response) -> httpx.Response | None:
        if where is not side or asked.get("operation") != "core/get":
            return None
        document = response.json()
        row = (document.get("objects") or {}).get(f"{CLASS}::{number}")
        if row is None:
            return None
        (row if name in row else row["fields"])[name] = value
        return httpx.Response(200, content=json.dumps(document).encode(), headers={"date": response.headers["date"]})

    between.answer = alter
    for each in (odd, *others):
        between.customer.note(CLASS, each, "<p>Two</p>")
    between.sync()
    assert all(_said(between, each) for each in others)
    between.answer = _as_it_is
    between.settle()
    assert between.differences() == []


def _without_entries(document: dict[str, Any]) -> None:
    for row in document["objects"].values():
        row["fields"]["private_log"] = {"entries": []}


def _with_nothing(document: dict[str, Any]) -> None:
    document["objects"] = None


def _of_another_ticket(document: dict[str, Any]) -> None:
    (row,) = document["objects"].values()
    row["key"] = row["fields"]["id"] = str(int(row["key"]) + 1)
    document["objects"] = {f"{CLASS}::{row['key']}": row}


@pytest.mark.parametrize("oddities", [[_without_entries], [_without_entries, _with_nothing], [_of_another_ticket]])
@pytest.mark.parametrize("side", list(Side))
def test_an_odd_answer_to_a_write_stops_nothing_and_nothing_is_written_twice(
    between: BetweenRig, side: Side, oddities: Sequence[Callable[[dict[str, Any]], None]]
) -> None:
    """Extensions of iTop can put anything into an answer; what stands there is what counts."""
    odd, *others = _linked(between, 3)
    number = side.pick(odd, between.copy_of(odd))
    left = list(oddities)

    def answer(where: Side, asked: dict[str, object], response: httpx.Response) -> httpx.Response | None:
        expected = "core/update" if len(left) == len(oddities) else "core/get"
        if where is not side or asked.get("operation") != expected or str(number) not in str(asked.get("key")) or not left:
            return None
        document = response.json()
        left.pop(0)(document)
        return httpx.Response(200, content=json.dumps(document).encode(), headers={"date": response.headers["date"]})

    between.answer = answer
    for each in (odd, *others):
        between.customer.note(CLASS, each, "<p>Two</p>")
        between.operator.note(CLASS, between.copy_of(each), "<p>Three</p>")
    between.sync()
    assert not left
    assert all(_said(between, each) for each in others)
    between.settle()
    assert between.differences() == []
    for each in (odd, *others):
        assert sum("Two" in text for text in between.texts(Side.INTERNAL, between.copy_of(each))) == 1
        assert sum("Three" in text for text in between.texts(Side.EXTERNAL, each)) == 1


def test_a_note_with_many_pictures_that_are_gone_arrives_at_once(rig: Rig) -> None:
    (number,) = _linked(rig, 1)
    gone = "".join(
        f'<img src="{rig.external.url}/pages/ajax.document.php?operation=download_inlineimage&amp;id={9000 + n}&amp;s=abcdef">'
        for n in range(60)
    )
    rig.customer.note(CLASS, number, f"<p>Two {gone}</p>")
    rig.sync()
    rig.sync()
    assert _said(rig, number)


# a ticket that is deleted while it is looked at: iTop deletes its files one by one before it


@pytest.mark.parametrize("deletion", ["origin", "both"])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("side", list(Side))
def test_the_files_of_a_ticket_that_is_being_deleted_stay_on_the_other_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: Side, late: bool, deletion: str
) -> None:
    """*late*: only once the second look has found them gone, too."""
    rig = Rig(tmp_path, f'[rules]\ndeletion = "{deletion}"\n')
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    there = {Side.EXTERNAL: number, Side.INTERNAL: rig.copy_of(number)}
    for origin in Side:
        rig.agent(origin).attach("UserRequest", there[origin], "a.txt", "text/plain", origin.encode())
    rig.settle(1)
    assert len(rig.simulator(side.other).ticket("UserRequest", there[side.other])["attachments"]) == 2
    for file in rig.simulator(side).ticket("UserRequest", there[side])["attachments"]:
        rig.agent(side).delete_attachment(file["id"])
    rig.sync()
    confirm = execute._confirm_gone

    def delete() -> None:
        if rig.simulator(side).tickets():
            rig.agent(side).delete("UserRequest", there[side])

    def confirm_late(*what: Any) -> None:
        delete()
        confirm(*what)

    if late:
        monkeypatch.setattr(execute, "_confirm_gone", confirm_late)
    else:
        delete()
    rig.settle(3)
    assert rig.link(number).status is LinkStatus.TOMBSTONE
    assert len(rig.simulator(side.other).ticket("UserRequest", there[side.other])["attachments"]) == 2
    rig.stop()
