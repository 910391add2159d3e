"""Deep tests run millions of requests, so a request must be quick and a ticket small. The bounds leave room for slow machines."""

import time
import tracemalloc

import pytest

from itopsync.simulator import Simulator
from tests.simulator.caller import Caller, calling

FIELDS = "id,ref,title,status,last_update,description,private_log,org_id,caller_id,agent_id"
TICKETS = 1_000


def cycle(sync: Caller) -> None:
    """What a cycle over a thousand new tickets asks of the side that they go to."""
    tickets = []
    for number in range(TICKETS):
        history = {"items": [{"message": f'<p class="itopsync-{number}-{place}">text</p>'} for place in range(3)]}
        new = {"org_id": 3, "caller_id": 42, "title": f"no. {number}", "description": "<p>d</p>", "private_log": history}
        tickets.append(int(sync.create("UserRequest", new, FIELDS)["id"]))
        sync.attach("UserRequest", tickets[-1], "a.txt", b"x" * 200, temp_id=f"itopsync-{number}")
    assert len(sync.get("Ticket", "SELECT Ticket WHERE last_update >= '2026-01-01 00:00:00'", "id,last_update")) == TICKETS
    for begin in range(0, TICKETS, 50):
        batch = ",".join(map(str, tickets[begin : begin + 50]))
        assert len(sync.get("UserRequest", f"SELECT UserRequest WHERE id IN ({batch})", FIELDS)) == 50
        files = f"SELECT Attachment WHERE item_class = 'UserRequest' AND item_id IN ({batch})"
        assert len(sync.get("Attachment", files, "id,item_id,temp_id,creation_date")) == 50
    for number, ticket in enumerate(tickets):
        note = {"add_item": {"message": f"<p>{number}</p>", "date": "2026-11-24 10:00:00"}}
        sync.update("UserRequest", ticket, {"title": f"changed {number}", "private_log": note}, FIELDS)


def test_a_cycle_of_a_thousand_tickets_takes_a_second_or_two(capsys: pytest.CaptureFixture[str]) -> None:
    simulator = Simulator()
    begun = time.process_time()
    cycle(calling(simulator))
    seconds = time.process_time() - begun
    with capsys.disabled():
        print(f"\n{TICKETS} tickets, {simulator.requests.total} requests: {seconds:.1f} s")
    assert seconds < 10


def test_fifty_thousand_tickets_with_attachments_fit_in_memory(capsys: pytest.CaptureFixture[str]) -> None:
    simulator = Simulator()
    alice = simulator.agent()
    tracemalloc.start()
    try:
        for number in range(TICKETS):
            history = {"items": [{"message": f"<p>entry {place} of {number}</p>"} for place in range(2)]}
            ticket = alice.create("UserRequest", title=f"no. {number}", private_log=history)
            alice.attach("UserRequest", ticket, "a.txt", "text/plain", b"x" * 200)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    megabytes = size / TICKETS * 50_000 / 1e6
    with capsys.disabled():
        print(f"\n50,000 tickets with an attachment each: {megabytes:.0f} MB")
    assert megabytes < 1_000
