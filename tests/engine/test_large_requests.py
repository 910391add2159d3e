"""A server drops what is larger than PHP's post_max_size, and answers as if the password were wrong."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from itopsync.model import Side
from itopsync.simulator import FaultKind
from tests.engine.rig import RESOLVED, TEAM, Rig
from tests.engine.verifying import compared
from tests.sampling import some


def _limit(rig: Rig, most: int, *, known: bool = True) -> None:
    """Let both servers take *most* bytes; *known*: that is said in the configuration."""
    for side in Side:
        rig.simulator(side).post_max_size = most
    loaded = rig.configuration
    if known:
        rules = loaded.rules
        sides = {side: replace(rules.of(side), request_bytes=most) for side in Side}
        rules = replace(rules, external=sides[Side.EXTERNAL], internal=sides[Side.INTERNAL])
        external = loaded.external.model_copy(update={"max_request": most})
        internal = loaded.internal.model_copy(update={"max_request": most})
        loaded = replace(loaded, rules=rules, external=external, internal=internal)
    rig.configuration = loaded
    rig.restart()


def _note(place: int, size: int) -> str:
    return f"<p>No. {place} {'x' * size}</p>"


def _numbers(rig: Rig, side: Side, number: int) -> list[int]:
    """Which notes stand in a ticket's log, in their order."""
    return [int(word) for text in rig.texts(side, number) for word in _after_no(text)]


def _after_no(text: str) -> list[str]:
    return [part.split()[0] for part in text.split("No. ")[1:]]


def test_a_history_larger_than_a_server_takes_arrives_in_order(rig: Rig) -> None:
    """As met: 10.5 MB of notes on a server that takes 8 MB."""
    rig.internal.post_max_size = 8 * 2**20
    number = rig.customer.create("UserRequest", title="Long", private_log=_note(0, 150_000))
    for place in range(1, 70):
        rig.customer.note("UserRequest", number, _note(place, 150_000))
    assert rig.sync().outcome == "well"
    assert _numbers(rig, Side.INTERNAL, rig.copy_of(number)) == list(range(70))
    assert rig.link(number).obstacles == ()
    assert rig.differences() == []


def test_what_a_server_takes_is_learnt_where_it_is_not_known(rig: Rig) -> None:
    _limit(rig, 1_500_000, known=False)
    number = rig.customer.create("UserRequest", title="Long", private_log=_note(0, 150_000))
    for place in range(1, 22):
        rig.customer.note("UserRequest", number, _note(place, 150_000))
    rig.sync()
    assert _numbers(rig, Side.INTERNAL, rig.copy_of(number)) == list(range(22))
    assert rig.link(number).obstacles == ()
    assert rig.server(Side.INTERNAL).refused_bytes
    assert rig.differences() == []


@pytest.mark.parametrize(("most", "known"), [(150_000, True), (1_100_000, False)])  # a limit is learnt above 1 MB only
@pytest.mark.parametrize("origin", list(Side))
def test_a_note_too_long_for_one_request_goes_as_files_and_is_told_where_it_stood(
    rig: Rig, origin: Side, most: int, known: bool
) -> None:
    _limit(rig, most, known=known)
    number = rig.customer.create("UserRequest", title="Long", private_log="<p>No. 0 .</p>")
    rig.sync()
    here = number if origin is Side.EXTERNAL else rig.copy_of(number)
    there = number if origin is Side.INTERNAL else rig.copy_of(number)
    text = _note(1, most * 8 // 3)
    rig.agent(origin).note("UserRequest", here, text)
    rig.agent(origin).note("UserRequest", here, "<p>No. 2 .</p>")
    rig.sync()
    rig.settle(2)
    files = rig.simulator(origin.other).ticket("UserRequest", there)["attachments"]
    assert len(files) > 2
    parts = sorted(files, key=lambda attachment: int(attachment["contents"].filename.split(".")[1].split("-")[0]))
    assert b"".join(attachment["contents"].data for attachment in parts).count(b"x") == text.count("x")
    log = rig.texts(origin.other, there)
    assert sum("too long for one request" in message for message in log) == 1
    assert "too long for one request" in log[-2]
    assert "No. 2" in log[-1]
    before = rig.written()
    rig.settle()
    assert rig.written() == before
    assert compared(rig) == []
    rig.agent(origin.other).delete_attachment(int(parts[1]["id"]))
    assert len(compared(rig)) == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_file_too_large_for_the_server_is_told_once_with_what_to_do(rig: Rig, known: bool) -> None:
    _limit(rig, 1_500_000, known=known)
    number = rig.customer.create("UserRequest", title="Files")
    for size in (1_000_000, 1_400_000, 1_000):
        rig.customer.attach("UserRequest", number, f"{size}.bin", "application/octet-stream", bytes(size))
    rig.sync()
    rig.settle()
    names = {
        attachment["contents"].filename for attachment in rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"]
    }
    assert names == {"1000000.bin", "1000.bin"}
    (obstacle,) = rig.link(number).obstacles
    assert obstacle.parked
    assert "post_max_size" in obstacle.reason
    assert "max_request" in obstacle.reason
    assert sum("Not carried" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number))) == 1
    _limit(rig, 3_000_000, known=known)
    rig.store.links.amend(rig.link(number).id, lambda link: replace(link, obstacles=(), due_at=rig.now), rig.now)
    rig.sync()
    assert len(rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"]) == 3


def test_a_form_and_a_state_that_do_not_fit_together_go_apart(rig: Rig) -> None:
    _limit(rig, 120_000)
    number = rig.customer.create("UserRequest", title="Long", service_id=1)
    rig.sync()
    rig.customer.update("UserRequest", number, description=f"<p>{'d' * 60_000}</p>")
    rig.customer.note("UserRequest", number, _note(1, 50_000))
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_resolve", **{**RESOLVED, "solution": f"<p>{'s' * 60_000}</p>"})
    rig.sync()
    rig.settle(2)
    assert rig.link(number).obstacles == ()
    assert rig.differences() == []


@pytest.mark.parametrize("most", [40_000, 60_000, 100_000, 150_000, 400_000])
@pytest.mark.parametrize("seed", some(range(4), 2))
def test_whatever_the_sizes_everything_arrives_or_is_told_and_nothing_twice(rig: Rig, seed: int, most: int) -> None:
    chance = random.Random(seed * 1_000_003 + most)
    _limit(rig, most)
    sizes = [int(most * chance.choice((0.01, 0.1, 0.2, 0.5, 0.9))) for _ in range(chance.randint(2, 14))]
    letters = [chance.choice("Qé") for _ in sizes]
    texts = [f"<p>No. {place} {letter * size}</p>" for place, (size, letter) in enumerate(zip(sizes, letters, strict=True))]
    description = f"<p>{'d' * min(20_000, most // 4)}</p>"
    number = rig.customer.create("UserRequest", title="Long", description=description, private_log=texts[0])
    for text in texts[1:]:
        rig.customer.note("UserRequest", number, text)
    files = {f"{place}.bin": int(most * chance.uniform(0.1, 1.2)) for place in range(4)}
    for name, size in files.items():
        rig.customer.attach("UserRequest", number, name, "application/octet-stream", bytes(size))
    rig.internal.faults.add(FaultKind.LOST_AFTER, accounts=["sync"], verbs=["core/create", "core/update"], times=3, after=seed)
    rig.sync()
    rig.settle()
    copy = rig.copy_of(number)
    there = rig.internal.ticket("UserRequest", copy)["attachments"]
    assert max(Counter(attachment["temp_id"] for attachment in there).values(), default=1) == 1
    carried = {attachment["contents"].filename for attachment in there}
    told = [obstacle for obstacle in rig.link(number).obstacles if obstacle.parked and obstacle.key.startswith("file:")]
    assert len(told) == len(files.keys() - carried)
    assert {name for name, size in files.items() if size * 4 // 3 + 2_000 < most} <= carried
    log = rig.texts(Side.INTERNAL, copy)
    whole = " ".join(log) + " ".join(
        attachment["contents"].data.decode()
        for attachment in sorted(there, key=lambda attachment: attachment["id"])
        if attachment["temp_id"].find("-o-") > 0
    )
    assert sorted(int(word) for word in _after_no(whole)) == list(range(len(texts)))
    inside = [int(word) for text in log for word in _after_no(text)]
    assert inside == sorted(inside)
    assert [whole.count(letter) for letter in "Qé"] == ["".join(texts).count(letter) for letter in "Qé"]
    assert not [obstacle for obstacle in rig.link(number).obstacles if not obstacle.key.startswith("file:")]
    before = rig.written()
    rig.settle()
    assert rig.written() == before


def test_what_one_ticket_taught_holds_for_those_that_were_planned_with_it(rig: Rig) -> None:
    _limit(rig, 1_500_000, known=False)
    numbers = [rig.customer.create("UserRequest", title="Long", private_log=_note(0, 150_000)) for _ in range(3)]
    for number in numbers:
        for place in range(1, 12):
            rig.customer.note("UserRequest", number, _note(place, 150_000))
    rig.sync()
    for number in numbers:
        assert _numbers(rig, Side.INTERNAL, rig.copy_of(number)) == list(range(12))
        assert rig.link(number).obstacles == ()
