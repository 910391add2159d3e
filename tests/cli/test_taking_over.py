"""link --from as an operator types it: a file of pairs, faults and all, again and again."""

from __future__ import annotations

from typing import Any

import pytest

from itopsync.cli import taking_over
from itopsync.cli.asked import await_end
from itopsync.engine.steering import Outcome
from itopsync.exits import ExitCode
from tests.cli.conftest import Desk

OLD = "2020-11-01 00:00:00"


def pairs(desk: Desk, count: int) -> list[tuple[str, str]]:
    """So many old requests on each side, by the numbers that people say."""
    found = []
    desk.operator.create("UserRequest", title="Something else")
    for number in range(count):
        external = desk.customer.create("UserRequest", title=f"Secret {number}", start_date=OLD, private_log="<p>Secret</p>")
        internal = desk.operator.create("UserRequest", title=f"Secret {number}")
        found.append((desk.external.ticket("UserRequest", external)["ref"], desk.internal.ticket("UserRequest", internal)["ref"]))
    return found


def write(desk: Desk, two: list[tuple[str, str]], head: str = "external,internal") -> None:
    (desk.folder / "pairs.csv").write_text("\n".join([head, *(f"{external},{internal}" for external, internal in two), ""]))


def linked(desk: Desk) -> int:
    told = desk.itopsync("status", "--json").stdout
    return int(told.partition('"linked": ')[2].partition(",")[0])


@pytest.mark.usefixtures("no_store")
def test_a_file_is_tried_linked_and_linked_again_with_more(desk: Desk) -> None:
    two = pairs(desk, 53)
    write(desk, two[:52])
    tried = desk.itopsync("link", "--from", "pairs.csv", "--dry-run")
    assert (tried.returncode, tried.stderr) == (ExitCode.WELL, "")
    assert tried.stdout.splitlines() == [
        "pairs.csv: 52 pairs to link.",
        "52 notes on external, 0 notes on internal; 0 files on external, 0 files on internal: this stays where it is.",
        "Nothing was linked.",
    ]
    assert not (desk.folder / "store.sqlite").exists()
    assert desk.itopsync("link", "--from", "pairs.csv").returncode == ExitCode.USAGE  # nobody can be asked
    done = desk.itopsync("link", "--from", "pairs.csv", "--yes")
    assert (done.returncode, done.stderr) == (ExitCode.WELL, "")
    assert "52 pairs linked: the next cycle marks them in internal" in done.stdout
    write(desk, two)
    more = desk.itopsync("link", "--from", "pairs.csv", "--yes").stdout
    assert "pairs.csv: 1 pair to link, 52 pairs linked already." in more
    assert "1 pair linked" in more
    again = desk.itopsync("link", "--from", "pairs.csv", "--yes").stdout
    assert again.splitlines() == ["pairs.csv: 0 pairs to link, 53 pairs linked already.", "Nothing to do."]
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    marks = [
        entry.text for ticket in desk.internal.tickets() for entry in ticket["private_log"] if "Linked by hand" in entry.text
    ]
    assert len(marks) == 53
    assert linked(desk) == 53
    assert desk.itopsync("verify").returncode == ExitCode.WELL


def test_who_breaks_it_off_is_told_how_many_are_linked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(desk, pairs(desk, 3))
    asked = []

    def await_two(*given: Any) -> Outcome:
        asked.append(given)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return await_end(*given)

    monkeypatch.setattr("itopsync.cli.asked.await_end", await_two)
    monkeypatch.setattr(taking_over, "AT_ONCE", 1)
    with pytest.raises(KeyboardInterrupt):
        taking_over.take_over(desk.configuration(), desk.folder / "pairs.csv", None, dry_run=False, yes=True)
    assert capsys.readouterr().err == "2 pairs linked. The same command, given again, goes on with the others.\n"
    assert "1 pair linked" in desk.itopsync("link", "--from", "pairs.csv", "--yes").stdout


def test_every_fault_is_told_with_its_line_and_nothing_is_linked(desk: Desk) -> None:
    (external, internal), (second_external, second_internal) = pairs(desk, 2)
    lines = [
        "internal;External;why",
        f"{internal};{external};the same printer",
        f"# {second_internal};{second_external};doubtful",
        f"R-999999;{second_external};",
        "R-999998;;",
        f"{second_internal};{external};",
        ";;",
        f"{second_internal};{second_external};x;y",
    ]
    (desk.folder / "pairs.csv").write_text("\n".join(lines))
    done = desk.itopsync("link", "--from", "pairs.csv", "--yes")
    assert done.returncode == ExitCode.CONFIGURATION
    assert done.stderr.splitlines() == [
        "pairs.csv: line 5: external: it names no ticket. Name both tickets of the pair, or remove the line.",
        "pairs.csv: line 8: it has 4 cells, and there are 3 columns. Put what contains commas in quotes.",
        "pairs.csv: line 4: internal: internal has no ticket 'R-999999' of a synced class that our account may see. "
        "Check the number, and the account's allowed organisations.",
        "pairs.csv: line 6: external: external:UserRequest:1 is on line 2 too. "
        "A ticket is in one link only: remove one of the two lines.",
    ]
    assert linked(desk) == 0


def test_a_file_that_is_none_is_told(desk: Desk) -> None:
    write(desk, [], "left,right,external,external")
    assert desk.itopsync("link", "--from", "pairs.csv").stderr.splitlines() == [
        "pairs.csv: line 1: external: there is more than one column of this name. "
        "The first line names the columns: external,internal.",
        "pairs.csv: line 1: internal: there is no column of this name. The first line names the columns: external,internal.",
    ]
    done = desk.itopsync("link", "--from", "other.csv")
    assert done.returncode == ExitCode.CONFIGURATION
    told = "--from: other.csv cannot be read: No such file or directory. Check the path and who may read it.\n"
    assert done.stderr == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give two tickets, external's first, or --from, or --match"),
        (("R-000001",), "give two tickets, external's first, or --from, or --match"),
        (("R-000001", "--from", "pairs.csv"), "give two tickets, --from or --match: one of them"),
        (("--match", "--from", "pairs.csv"), "give two tickets, --from or --match: one of them"),
        (("--from", "pairs.csv", "--field", "external_ref"), "--field and --since are for --match"),
        (("--from", "pairs.csv", "--within", "5"), "--within is for --history and --match"),
        (("--from", "pairs.csv", "--copied-by", "external:1"), "--copied-by is for --history"),
        (("--from", "pairs.csv", "--history", "--copied-by", "agent"), "'agent' names no account"),
        (("--match", "--field", "a b"), "'a b' cannot be the code of an attribute"),
        (("--match", "--field", "external_ref"), "no synced class of internal has an attribute external_ref"),
    ],
)
def test_a_command_that_makes_no_sense_is_told(desk: Desk, arguments: tuple[str, ...], told: str) -> None:
    done = desk.itopsync("link", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert told in " ".join(done.stderr.replace("│", " ").split())


def test_a_proposed_file_is_linked_but_for_what_is_doubtful(desk: Desk) -> None:
    for title, others in (("Printer", 1), ("Mail", 2)):
        desk.customer.create("UserRequest", title=title, start_date=OLD)
        for _ in range(others):
            desk.operator.create("UserRequest", title=title, start_date="2020-10-31 18:01:00")  # as late, by a minute, in Paris
    done = desk.itopsync("link", "--match", "--since", "2020-10-01")
    assert done.returncode == ExitCode.WELL
    assert "1 pair proposed, 2 doubtful ones below them after a #. Nothing was linked" in done.stderr
    assert done.stdout.splitlines() == [
        "external,internal,reason",
        'R-000001,R-000001,"same title, began 1 min apart: Printer"',
        '# R-000002,R-000002,"several candidates; same title, began 1 min apart: Mail"',
        '# R-000002,R-000003,"several candidates; same title, began 1 min apart: Mail"',
    ]
    (desk.folder / "pairs.csv").write_text(done.stdout)
    assert "1 pair linked" in desk.itopsync("link", "--from", "pairs.csv", "--yes").stdout
    assert linked(desk) == 1


def test_what_an_older_bridge_had_copied_is_counted_and_not_sent_again(desk: Desk) -> None:
    ((external, internal),) = pairs(desk, 1)
    write(desk, [(external, internal)])
    bridge, key = desk.internal.agent("admin"), desk.internal.tickets()[1]["id"]
    bridge.note("UserRequest", key, "Secret")  # the copy of hers
    bridge.note("UserRequest", key, "Opened by the bridge")
    desk.operator.note("UserRequest", key, "<p>#internal pays late</p>")
    desk.operator.note("UserRequest", key, "<p>On our way</p>")
    for agent, ticket in ((desk.customer, 1), (desk.operator, key)):
        agent.attach("UserRequest", ticket, "both.txt", "text/plain", b"both")
    desk.customer.attach("UserRequest", 1, "hers.txt", "text/plain", b"hers")
    tried = desk.itopsync("link", "--from", "pairs.csv", "--history", "--dry-run").stdout
    assert "doubtful: the other side may have them: 1 entry on external, 1 entry on internal." in tried
    assert "line 2, R-000001 → R-000002: doubtful: 1 entry on external, 1 entry on internal" in tried
    assert "Doubtful entries by user: external:4 (" in tried
    assert "internal:1 (" in tried
    named = ("--history", "--copied-by", "internal:1")
    wrong = desk.itopsync("link", "--from", "pairs.csv", "--history", "--copied-by", "external:77", "--yes")
    assert wrong.returncode == ExitCode.USAGE
    assert "--copied-by external:77: that user wrote nothing on these tickets" in " ".join(wrong.stderr.replace("│", " ").split())
    done = desk.itopsync("link", "--from", "pairs.csv", *named, "--yes")
    assert done.returncode == ExitCode.WELL
    assert done.stdout.splitlines()[:4] == [
        "pairs.csv: 1 pair to link.",
        "To be carried: 0 entries and 1 file to internal, 1 entry and 0 files to external.",
        "To stay, on both sides already: 1 entry on external, 1 entry on internal, 1 file on external, 1 file on internal.",
        "To stay, by the older bridge's accounts, and nothing like them on the other side: 1 entry on internal.",
    ]
    assert "To stay, kept where they are by the rules: 1 entry on internal." in done.stdout
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    both = desk.external.tickets()[0], desk.internal.tickets()[1]
    there = [[entry.text for entry in ticket["private_log"]] for ticket in both]
    said = {words: [sum(words in text for text in texts) for texts in there] for words in ("Secret", "way", "late", "Opened")}
    assert said == {"Secret": [1, 1], "way": [1, 1], "late": [0, 1], "Opened": [0, 1]}
    assert [len(ticket["attachments"]) for ticket in both] == [2, 2]
    assert desk.itopsync("verify").returncode == ExitCode.WELL


def test_the_same_file_goes_on_though_an_account_wrote_only_on_what_is_linked_already(desk: Desk) -> None:
    two = pairs(desk, 2)
    bridge, key = desk.internal.agent("admin"), desk.internal.tickets()[1]["id"]
    bridge.note("UserRequest", key, "Secret")
    again = ("link", "--from", "pairs.csv", "--history", "--copied-by", "internal:1", "--yes")
    write(desk, two[:1])
    assert "1 pair linked" in desk.itopsync(*again).stdout
    write(desk, two)
    mistyped = desk.itopsync(*again, "--copied-by", "internal:77")
    assert mistyped.returncode == ExitCode.USAGE
    assert "--copied-by internal:77: that user wrote nothing" in " ".join(mistyped.stderr.replace("│", " ").split())
    done = desk.itopsync(*again)
    assert (done.returncode, done.stderr) == (ExitCode.WELL, "")
    assert "pairs.csv: 1 pair to link, 1 pair linked already." in done.stdout
    assert linked(desk) == 2


@pytest.mark.usefixtures("no_store")
def test_two_tickets_are_tried_without_linking_them(desk: Desk) -> None:
    ((external, internal),) = pairs(desk, 1)
    done = desk.itopsync("link", external, internal, "--dry-run")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (ExitCode.WELL, "Nothing was linked.")
    assert not (desk.folder / "store.sqlite").exists()
