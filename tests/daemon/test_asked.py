"""What people ask the daemon for while it runs: heard within seconds, done once, and told."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from itopsync.exits import ExitCode
from itopsync.simulator.faults import FaultKind
from itopsync.store.records import RequestKind, RequestState
from itopsync.store.store import Store
from tests.cli.conftest import Desk
from tests.daemon.conftest import Daemon, Host, wait_for

SLOW_POLL = '[schedule]\npoll = "1h"\n'
SOON = 15.0
"""Seconds, on a busy machine; it is heard within one."""


@pytest.fixture
def daemon(desk: Desk, host: Host) -> Daemon:
    """One that has nothing to do for an hour."""
    desk.configure(SLOW_POLL)
    desk.customer.create("UserRequest", title="First")
    started = host.start()
    wait_for(lambda: started.events("cycle"))
    return started


def requests(desk: Desk) -> list[dict[str, Any]]:
    told = json.loads(desk.itopsync("activity", "--json").stdout)
    return [entry for entry in told if "request" in entry]


def opened_store(desk: Desk) -> Store:
    return Store.open(f"sqlite:///{desk.folder / 'store.sqlite'}")


def test_each_is_carried_out_by_the_daemon_and_told(desk: Desk, daemon: Daemon) -> None:
    for words, told in (
        (("park", "R-000001", "--reason", "until Monday"), "rests."),
        (("sync", "R-000001"), "is parked: it is not looked at."),
        (("resume", "R-000001"), "is taken up again by the next cycle."),
        (("sync", "R-000001"), "synced, writes: 0."),
        (("retry", "R-000001"), "is tried again by the next cycle."),
        (("retry", "--all"), "Nothing is in trouble: nothing to do."),
        (("verify", "--service"), "1 of 1 linked tickets agree."),
        (("unlink", "R-000001", "--yes"), "nothing is carried any more"),
        (("link", "external:UserRequest:1", "internal:UserRequest:1", "--yes"), "carries what comes from now on"),
        (("sweep",), "a sweep begins now."),
    ):
        done = desk.itopsync(*words)
        assert told in done.stdout + done.stderr, words
    carried_out = [(event["kind"], event["outcome"]) for event in daemon.events("request")]
    assert ("link", "done") in carried_out
    assert ("sync", "refused") in carried_out
    assert len(carried_out) == 10
    made = requests(desk)
    assert (len(made), made[-1]["reason"]) == (10, "until Monday")
    took = [datetime.fromisoformat(request["finished_at"]) - datetime.fromisoformat(request["at"]) for request in made]
    assert max(took).total_seconds() < SOON
    wait_for(lambda: any(event["kind"] == "sweep" for event in daemon.events("cycle")))
    assert daemon.stop() < SOON


def test_a_sync_brings_a_note_across_at_once(desk: Desk, daemon: Daemon) -> None:
    desk.customer.note("UserRequest", 1, "<p>Hello</p>")
    done = desk.itopsync("sync", "R-000001")
    assert (done.returncode, done.stdout.partition("): ")[2]) == (0, "synced, writes: 1.\n")
    assert len(desk.internal.ticket("UserRequest", 1)["private_log"]) == 2


def test_a_sync_that_cannot_be_made_says_so(desk: Desk, daemon: Daemon) -> None:
    desk.internal.maintenance = True
    done = desk.itopsync("sync", "R-000001")
    assert done.returncode == ExitCode.TROUBLED
    assert "internal: is in maintenance" in done.stderr


def test_a_pause_breaks_off_a_long_cycle_and_the_end_of_it_goes_on(desk: Desk, daemon: Daemon) -> None:
    for n in range(60):
        desk.customer.create("UserRequest", title=f"No. {n}")
    slow = desk.internal.faults.add(FaultKind.SLOW, seconds=1.0, verbs=["core/create"])
    desk.itopsync("sweep")
    wait_for(lambda: len(desk.internal.tickets()) > 4)
    done = desk.itopsync("pause", "--reason", "too much")
    assert done.returncode == 0
    made = len(desk.internal.tickets())
    served = desk.internal.served
    assert made < 61
    time.sleep(2)
    assert (len(desk.internal.tickets()), desk.internal.served) == (made, served)
    assert desk.itopsync("status", "--max-age", "1h").returncode == ExitCode.PAUSED
    told = desk.itopsync("status").stdout
    assert "both sides are paused by" in told
    assert "until somebody ends it: too much. `itopsync unpause` ends it." in told
    desk.internal.faults.remove(slow)
    desk.itopsync("unpause")
    wait_for(lambda: len(desk.internal.tickets()) == 61)
    assert desk.itopsync("verify").returncode == 0


def test_a_pause_ends_a_single_cycle_at_work_before_it_is_told_as_in_force(desk: Desk, host: Host) -> None:
    for n in range(60):
        desk.customer.create("UserRequest", title=f"No. {n}")
    desk.internal.faults.add(FaultKind.SLOW, seconds=1.0, verbs=["core/create"])
    once = host.start(command="run-once")
    wait_for(lambda: len(desk.internal.tickets()) > 4)
    assert desk.itopsync("pause").returncode == 0
    made, served = len(desk.internal.tickets()), desk.internal.served
    time.sleep(2)
    assert (len(desk.internal.tickets()), desk.internal.served) == (made, served)
    assert made < 60
    assert once.process.wait(SOON) == ExitCode.PAUSED
    assert [event["outcome"] for event in once.events("cycle")] == ["interrupted"]


def test_a_sweep_that_was_broken_off_comes_again(desk: Desk, daemon: Daemon) -> None:
    desk.external.faults.add(FaultKind.SLOW, seconds=1.5)
    served = desk.external.served
    desk.itopsync("sweep")
    wait_for(lambda: desk.external.served > served)
    desk.itopsync("sync", "R-000001")
    desk.external.faults.clear()
    wait_for(lambda: [event["outcome"] for event in daemon.events("cycle") if event["kind"] == "sweep"][-1:] == ["well"])
    assert next(event["outcome"] for event in daemon.events("cycle") if event["kind"] == "sweep") == "interrupted"


def test_a_paused_side_is_left_alone_until_its_time(desk: Desk, daemon: Daemon) -> None:
    assert desk.itopsync("pause", "--side", "external", "--for", "1h").returncode == 0
    served = desk.external.served
    assert "external is paused by" in desk.itopsync("sync", "R-000001").stderr
    assert desk.external.served == served
    assert desk.itopsync("pause", "--side", "external", "--for", "1s").returncode == 0
    time.sleep(1)
    assert desk.itopsync("sync", "R-000001").returncode == 0
    assert desk.external.served > served


def test_a_stop_is_accepted_while_it_runs_and_what_comes_on_top_stops_again(desk: Desk, host: Host) -> None:
    desk.configure(SLOW_POLL + "[limits]\ncreations = 2\n")
    for n in range(3):
        desk.customer.create("UserRequest", title=f"No. {n}")
    daemon = host.start()
    wait_for(lambda: daemon.events("safety stop"))
    told = json.loads(desk.itopsync("status", "--json").stdout)["stop"]
    assert (told["kind"], told["things"]) == ("creations", 3)
    assert desk.itopsync("accept", "deletions", "--yes").returncode == ExitCode.USAGE
    done = desk.itopsync("accept", "creations", "--yes")
    assert "accepted, and nothing on top of it: 3 creations." in done.stdout
    wait_for(lambda: len(desk.internal.tickets()) == 3)
    for n in range(3):
        desk.customer.create("UserRequest", title=f"On top {n}")
    desk.itopsync("sweep")
    wait_for(lambda: len(daemon.events("safety stop")) >= 2)
    assert len(desk.internal.tickets()) == 3
    assert requests(desk)[1]["arguments"] == {"kind": "creations"}


def test_what_is_asked_by_others_is_taken_up_as_well(desk: Desk, daemon: Daemon) -> None:
    """A web server, or a script, writes a request and reads what became of it: it needs no password of an iTop."""
    store = opened_store(desk)
    number = store.requests.ask(RequestKind.VERIFY, "anna", datetime.now(UTC))
    odd = store.requests.ask(RequestKind.PAUSE, "anna", datetime.now(UTC), arguments={"side": "'; DROP TABLE link"})
    ended = (RequestState.DONE, RequestState.REFUSED)
    wait_for(lambda: all((each := store.requests.get(request)) and each.state in ended for request in (number, odd)))
    verified, refused = store.requests.get(number), store.requests.get(odd)
    assert verified is not None
    assert verified.result == "1 of 1 linked tickets agree."
    assert refused is not None
    assert refused.state is RequestState.REFUSED
    store.close()


def test_a_copy_to_which_no_link_leads_is_told_by_the_daemon(desk: Desk, daemon: Daemon) -> None:
    (copy,) = desk.internal.tickets()
    desk.internal.agent("sync").create("UserRequest", title="Late", private_log=copy["private_log"][0].text)
    told = "1 of 1 linked tickets agree. Copies in internal to which no link leads: R-000002. `itopsync verify` says more."
    assert told in desk.itopsync("verify", "--service").stdout


def test_verifying_holds_up_no_cycle_and_a_second_one_is_refused(desk: Desk, daemon: Daemon) -> None:
    store = opened_store(desk)
    desk.internal.faults.add(FaultKind.SLOW, seconds=3.0, times=1)
    first = store.requests.ask(RequestKind.VERIFY, "anna", datetime.now(UTC))
    wait_for(lambda: (each := store.requests.get(first)) and each.state is not RequestState.WAITING)
    second = store.requests.ask(RequestKind.VERIFY, "anna", datetime.now(UTC))
    assert desk.itopsync("sync", "R-000001").returncode == 0
    wait_for(lambda: (each := store.requests.get(first)) and each.finished_at)
    told = [store.requests.get(number) for number in (first, second)]
    assert [each.state for each in told if each] in (
        [RequestState.DONE, RequestState.REFUSED],
        [RequestState.DONE, RequestState.DONE],  # where the first one had ended before the second was heard
    )
    store.close()


def test_a_kill_while_one_is_carried_out_is_told_as_interrupted(desk: Desk, host: Host, daemon: Daemon) -> None:
    store = opened_store(desk)
    desk.internal.faults.add(FaultKind.SLOW, seconds=20.0)
    number = store.requests.ask(RequestKind.SYNC, "anna", datetime.now(UTC), link=1)
    wait_for(lambda: (each := store.requests.get(number)) and each.state is RequestState.TAKEN)
    daemon.stop(signal.SIGKILL)
    desk.internal.faults.clear()
    again = host.start()
    wait_for(lambda: again.events("cycle"))
    told = store.requests.get(number)
    assert told is not None
    assert told.state is RequestState.INTERRUPTED
    assert "was carrying this out ended" in told.result
    store.close()


def test_what_was_asked_for_before_it_started_is_carried_out_at_its_start(desk: Desk, host: Host) -> None:
    desk.configure(SLOW_POLL)
    desk.itopsync("run-once")
    done = desk.itopsync("sweep")
    assert done.returncode == ExitCode.TROUBLED
    assert "is waiting for a process that runs cycles" in done.stderr
    daemon = host.start()
    wait_for(lambda: any(event["kind"] == "sweep" for event in daemon.events("cycle")))
    assert requests(desk)[0]["state"] == "done"


def test_what_waits_at_its_start_is_no_leftover_of_its_predecessor(desk: Desk, host: Host) -> None:
    desk.configure(SLOW_POLL)
    desk.customer.create("UserRequest", title="First")
    desk.itopsync("run-once")
    store = opened_store(desk)
    lost = store.requests.ask(RequestKind.SYNC, "anna", datetime.now(UTC), link=1)
    store.requests.take(lost, datetime.now(UTC))
    asked = [
        store.requests.ask(RequestKind.VERIFY, "anna", datetime.now(UTC)),
        store.requests.ask(RequestKind.SYNC, "anna", datetime.now(UTC), link=1),
        store.requests.ask(RequestKind.SYNC, "anna", datetime.now(UTC), link=1),
    ]
    daemon = host.start()
    wait_for(lambda: all((each := store.requests.get(number)) and each.finished_at for number in asked))
    assert [each.state for number in asked if (each := store.requests.get(number))] == [RequestState.DONE] * 3
    assert (told := store.requests.get(lost)) is not None
    assert told.state is RequestState.INTERRUPTED
    assert daemon.process.poll() is None
    store.close()
