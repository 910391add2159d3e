"""What an operator does at three in the morning, and what is said to it."""

from __future__ import annotations

import re

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk


def _linked(desk: Desk, count: int = 1) -> list[int]:
    numbers = [desk.customer.create("UserRequest", title=f"Printer {place}") for place in range(count)]
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    return numbers


def _lose_the_store(desk: Desk) -> None:
    for file in desk.folder.glob("store*"):
        file.unlink()


@pytest.mark.usefixtures("no_store")
def test_a_lost_store_is_told_by_all_that_look_and_made_by_none(desk: Desk) -> None:
    assert "There is no store yet" in desk.itopsync("status").stdout
    _linked(desk)
    _lose_the_store(desk)
    assert "If there was one, check store.url." in desk.itopsync("status").stdout
    for command, code in ((["check"], ExitCode.CONFIGURATION), (["show", "external:UserRequest:1"], ExitCode.STORE)):
        done = desk.itopsync(*command)
        assert done.returncode == code, done
        assert "internal holds 1 copies of pair" in done.stdout + done.stderr
        assert "`itopsync rebuild`" in done.stdout + done.stderr
    assert list(desk.folder.glob("store*")) == []


def test_check_does_not_know_a_lost_store_while_internal_is_away(desk: Desk) -> None:
    _linked(desk)
    _lose_the_store(desk)
    desk.internal.maintenance = True
    done = desk.itopsync("check")
    assert "it is not known whether this is the pair's own store" in done.stdout
    assert done.returncode == ExitCode.CONFIGURATION


def test_the_store_of_another_pair_is_told_by_check(desk: Desk) -> None:
    _linked(desk)
    path = desk.folder / "sync.toml"
    pair = next(line for line in path.read_text().splitlines() if line.startswith("pair"))
    path.write_text(path.read_text().replace(pair, 'pair = "other"'))
    for command, code in (("check", ExitCode.CONFIGURATION), ("run-once", ExitCode.STORE), ("plan", ExitCode.STORE)):
        done = desk.itopsync(command)
        assert done.returncode == code, done
        assert "and the configuration's pair is 'other'" in done.stdout + done.stderr
    link = "external:UserRequest:1"
    commands = (["park", link], ["resume", link], ["retry", link], ["sync", link], ["unlink", link, "--yes"], ["show", link])
    for words in (*commands, ["status"], ["activity"], ["pause"], ["db", "prune", "--yes"], ["verify"], ["rebuild"]):
        done = desk.itopsync(*words)
        assert done.returncode == ExitCode.STORE, done
        assert "and the configuration's pair is 'other'" in done.stderr, done


def test_a_rebuild_may_be_run_again(desk: Desk) -> None:
    _linked(desk, 2)
    _lose_the_store(desk)
    assert desk.itopsync("rebuild").stdout.startswith("2 links found again.\n")
    assert desk.itopsync("rebuild").stdout.startswith("0 links found again; the store knew 2 before.\n")


def test_a_rebuild_asks_what_becomes_of_that_which_has_no_copy(desk: Desk) -> None:
    _linked(desk, 3)
    (copy,) = (ticket["id"] for ticket in desk.internal.tickets() if ticket["title"] == "Printer 1")
    desk.internal.agent("admin").delete("UserRequest", copy)
    _lose_the_store(desk)
    told = desk.itopsync("rebuild").stdout
    assert "R-000002 (external:UserRequest:2) has no copy, though younger tickets have\n" in told
    assert "1 ticket and 0 files without a copy are parked" in told
    assert desk.itopsync("run-once").returncode == ExitCode.TROUBLED
    assert len(desk.internal.tickets()) == 2
    assert "no copy was found after the store was lost" in desk.itopsync("status").stdout
    assert "without a copy" not in desk.itopsync("rebuild", "--create-missing").stdout
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    assert len(desk.internal.tickets()) == 3


def test_a_rebuild_names_the_copy_of_a_ticket_whose_id_another_one_has(desk: Desk) -> None:
    before = desk.external.snapshot()
    _linked(desk)
    desk.external.restore(before)
    desk.customer.create("UserRequest", title="Scanner")
    _lose_the_store(desk)
    told = desk.itopsync("rebuild").stdout
    assert told.startswith(
        "R-000001 is parked: external:UserRequest:1 began after the ticket whose mark internal:UserRequest:1 bears"
    )
    assert "\n0 links found again.\n" in told
    assert desk.itopsync("run-once").returncode == ExitCode.TROUBLED
    assert [ticket["title"] for ticket in desk.internal.tickets()] == ["Printer 0"]
    unlink = re.search(r"`itopsync (unlink \S+)`", told)
    assert unlink
    assert desk.itopsync(*unlink[1].split(), "--yes").returncode == ExitCode.WELL
    assert desk.itopsync("run-once").returncode == ExitCode.WELL


def test_a_rebuild_names_a_second_ticket_with_a_copys_mark(desk: Desk) -> None:
    _linked(desk)
    copy = desk.internal.store.get("UserRequest", 1)
    assert copy is not None
    desk.internal.store.put({**copy, "id": 7, "ref": "R-000007"})
    _lose_the_store(desk)
    told = desk.itopsync("rebuild").stdout
    assert told.startswith(
        "R-000007 (internal:UserRequest:7) bears the mark of external:UserRequest:1 too, as a second copy or a clone"
    )
    assert "run `itopsync link external:UserRequest:1 internal:UserRequest:7`\n1 link found again.\n" in told


def test_a_plan_ends_as_its_cycle_would(desk: Desk) -> None:
    _linked(desk)
    desk.configure("[limits]\ncreations = 0\n")
    desk.customer.create("UserRequest", title="One too many")
    done = desk.itopsync("plan")
    assert done.returncode == ExitCode.SAFETY_STOP
    assert "create" in done.stdout
    assert "1 new tickets are to be created in internal, more than the limit of 0" in done.stderr
    assert desk.itopsync("run-once").returncode == ExitCode.SAFETY_STOP


def test_another_ticket_under_a_known_id_does_not_agree(desk: Desk) -> None:
    _linked(desk)
    copy = desk.internal.tickets()[0]
    desk.internal.store.put({**copy, "private_log": copy["private_log"][:0]})
    done = desk.itopsync("verify")
    assert "0 of 1 linked tickets agree" in done.stdout, done
    assert done.returncode == ExitCode.TROUBLED


def test_retry_names_what_helps_where_it_does_not(desk: Desk) -> None:
    assert desk.itopsync("retry", "--all").stdout == "Nothing is in trouble: nothing to do.\n"
    _linked(desk)
    desk.itopsync("park", "1")
    told = desk.itopsync("retry", "1").stdout
    assert told.endswith("is parked: nothing to do. `itopsync resume 1` takes it up again.\n")
    assert "Nothing was compared: every link is parked. " in desk.itopsync("verify").stdout


def test_why_a_link_is_at_its_end_is_told(desk: Desk) -> None:
    number, _ = _linked(desk, 2)
    desk.itopsync("unlink", "2", "--yes", "--no-notice")
    ended = (
        "the link has ended: unlinked by hand; `itopsync link` takes the two up again, from then on; with `--history` also what"
    )
    assert ended in desk.itopsync("show", "2").stdout
    desk.customer.delete("UserRequest", number)
    desk.itopsync("run-once", "--sweep")
    assert (
        f"the link has ended: external:UserRequest:{number} was gone, or out of our account's sight\n"
        in desk.itopsync("show", "1").stdout
    )


def test_unlink_asks_about_what_it_does(desk: Desk) -> None:
    _linked(desk)
    done = desk.itopsync("unlink", "1")
    assert "from now on, nothing is carried between the two" in done.stdout + done.stderr


def test_nothing_to_do_is_not_said_of_a_side_that_is_away(desk: Desk) -> None:
    _linked(desk)
    desk.internal.maintenance = True
    assert "unavailable: nothing was done in " in desk.itopsync("run-once").stdout


def test_a_downgrade_names_the_revisions_that_there_are(desk: Desk) -> None:
    _linked(desk)
    said = desk.itopsync("db", "downgrade", "9999").stderr
    assert re.search(r"is not an older revision\. Name one of: (\d{4}, )+base\.\n$", said)
