"""What the pages show, in both languages, and with how many questions to the store."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from itopsync.engine import stops
from itopsync.engine.pauses import Pause, pause
from itopsync.model import TICKET, Agreed, FilePair, FileStatus, ItemKey, ItemKind, LinkStatus, Obstacle, Side
from itopsync.reconcile import by_hand
from itopsync.store import upkeep
from itopsync.store.records import ActivityRecord, CycleOutcome, CycleRecord, Holder, RequestKind, RequestState
from itopsync.store.store import Store
from itopsync.web import runbook, words
from itopsync.web.causes import causes, likeness
from itopsync.web.figures import strip
from itopsync.web.ticket import items, to_come
from tests.store.test_indexes import statements
from tests.web import busy
from tests.web.desk import MINUTE, NOW, PROXIED, STOP, STORE, TOO_LARGE, Desk

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "itopsync" / "web" / "templates"
DESKS = ROOT / "itopsync" / "demo" / "desks"
PAGES = ("/", "/p/demo", "/p/demo/attention", "/p/demo/activity", "/p/demo/cycles", "/p/demo/verify", "/p/demo/t/2")


def words_of(text: str) -> str:
    """What a page says, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def other_pair(desk: Desk, folder: Path, name: str) -> Path:
    """The configuration of another pair, with the store of the first one."""
    folder.mkdir()
    made = folder / "sync.toml"
    made.write_text(desk.pair.read_text().replace('"demo"', f'"{name}"').replace(str(desk.folder / STORE), str(folder / STORE)))
    return made


# the overview


def test_the_overview_tells_how_a_pair_is(desk: Desk) -> None:
    text = words_of(desk.get("/").text)
    assert "demo items waiting" in text
    assert "Customer desk external well last good poll : 60 s ago" in text.replace("poll:", "poll :")
    for figure in (
        "Linked 4",
        "Needs a person 2",
        "Retrying 1",
        "Parked 1",
        "Median delay 12 s",
        "Running no process",
    ):
        assert figure in text


def test_a_pause_and_a_stop_are_told_with_who_and_why(desk: Desk) -> None:
    pause(desk.store, Pause((Side.INTERNAL,), "web:bob", "upgrade", NOW, NOW + timedelta(hours=2)))
    text = words_of(desk.get("/").text)
    assert "demo paused" in text
    assert "internal is paused by web:bob since 2026-11-29 12:00 UTC, until 2026-11-29 14:00 UTC: upgrade" in text
    assert "End the pause" in text


NOBODY = "No process is running: until one does, nothing is carried and no request is carried out. The last cycle ended"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_tells_that_nobody_is_at_work(desk: Desk, page: str) -> None:
    assert NOBODY not in words_of(desk.get(page).text), "a timer may start the next cycle"
    desk.now = NOW + 24 * MINUTE
    told = words_of(desk.get(page).text)
    assert f"{NOBODY} 24 min ago. Does the service run?" in told
    assert "Nothing needs a person." not in told
    desk.store.lease.acquire(Holder("bridge", "boot", 4711, "1", "token"), MINUTE, desk.now)
    assert NOBODY not in words_of(desk.get(page).text)


def test_each_of_several_pairs_tells_that_nobody_is_at_work(desk: Desk, tmp_path: Path) -> None:
    desk.configure(desk.web, other_pair(desk, tmp_path / "missing", "missing"))
    desk.now = NOW + 24 * MINUTE
    assert words_of(desk.get("/").text).count(f"{NOBODY} 24 min ago.") == 1
    desk.store.lease.acquire(Holder("bridge", "boot", 4711, "1", "token"), MINUTE, desk.now)
    assert NOBODY not in words_of(desk.get("/").text)


def test_what_needs_somebody_comes_first(desk: Desk, tmp_path: Path) -> None:
    calm, missing = (other_pair(desk, tmp_path / name, name) for name in ("calm", "missing"))
    for name in (STORE, f"{STORE}-wal"):
        shutil.copy(tmp_path / name, calm.parent / name)
    desk.configure(desk.web, calm, missing)
    text = desk.get("/").text
    assert re.findall(r'id="pair-(\w+)"', text)[0] in ("calm", "missing")
    assert "this store is of pair &#39;demo&#39;" in text
    assert "there is no store yet" in text
    assert desk.get("/p/missing/attention").status_code == 503
    assert desk.get("/p/demo").status_code == 200


def test_a_store_that_was_restored_is_looked_at_and_asked_and_not_the_one_that_is_gone(desk: Desk, tmp_path: Path) -> None:
    path, kept = tmp_path / STORE, tmp_path / "kept.sqlite"
    upkeep.copy(f"sqlite:///{path}", kept)
    asking = {"kind": "pause", "side": "external"}
    assert desk.post("/p/demo/ask", asking).status_code == 303  # it has the file open in both ways
    for file in tmp_path.glob(f"{STORE}*"):
        file.unlink()
    assert "there is no store yet" in words_of(desk.get("/").text)
    for answer in (desk.get("/p/demo/attention"), desk.post("/p/demo/ask", asking)):
        assert answer.status_code == 503
        assert "there is no store yet" in words_of(answer.text)
    kept.rename(path)
    restored = Store.open(f"sqlite:///{path}")
    assert restored.requests.waiting() == ()
    pause(restored, Pause((Side.INTERNAL,), "web:bob", "restored", NOW, NOW + timedelta(hours=2)))
    assert "until 2026-11-29 14:00 UTC: restored" in words_of(desk.get("/p/demo").text)
    assert desk.post("/p/demo/ask", asking).status_code == 303
    assert [request.kind for request in restored.requests.waiting()] == ["pause"]
    restored.close()


def test_the_strip_shows_the_worst_of_each_quarter(desk: Desk) -> None:
    desk.store.history.record(CycleRecord(None, "poll", NOW - 31 * MINUTE, NOW, "well", {}))
    desk.store.history.record(CycleRecord(None, "poll", NOW, NOW, "paused", {}))
    found = strip(desk.store, NOW)
    assert len(found.stretches) == 96
    assert [(each.at.strftime("%H:%M"), each.worst, each.count) for each in found.stretches[-5:]] == [
        ("11:00", "well", 1),
        ("11:15", "well", 1),
        ("11:30", "unavailable", 1),
        ("11:45", "troubled", 1),
        ("12:00", "paused", 1),
    ]
    assert desk.get("/p/demo/cycles").text.count("<rect class=") == 96


# attention


def test_what_waits_is_grouped_by_its_cause(desk: Desk) -> None:
    needed, waiting = causes(desk.store.links.troubled(99))
    assert [(cause.kind, len(cause.found), cause.tried) for cause in needed] == [("file", 2, True), ("ticket", 1, False)]
    assert [(cause.kind, len(cause.found)) for cause in waiting] == [("state", 1)]
    desk.store.links.amend(1, lambda link: by_hand.parked(link, "anna", "waits for the audit"), NOW)
    needed, _ = causes(desk.store.links.troubled(99))
    assert {cause.kind: len(cause.found) for cause in needed} == {"file": 2, "ticket": 2}, "told once"
    text = desk.get("/p/demo/attention").text
    assert "parked by anna: waits for the audit; " in text
    assert text.count("Retry all with this cause") == 2
    assert "raise the limit (and PHP&#39;s post_max_size on the other server)" in text


def test_two_reasons_are_alike_whatever_ticket_they_name() -> None:
    assert likeness("a file of 21.5 MB of R-000123, 'x' and internal:UserRequest:9") == "a file of … MB of …, … and …"
    assert likeness("the profile is missing") != likeness("the right is missing")


def test_a_stop_is_shown_with_its_numbers_and_accepted_for_this_plan(desk: Desk) -> None:
    stops.note(desk.store, STOP)
    text = desk.get("/p/demo/attention").text
    assert "Accept 2 creations" in text
    assert f'name="fingerprint" value="{STOP.fingerprint}"' in text


def test_what_stands_still_is_not_told_as_nothing_to_do(tmp_path: Path) -> None:
    calm = Desk(tmp_path)
    calm.store.history.record(CycleRecord(None, "poll", NOW, NOW, "well", {}))
    assert "Nothing needs a person." in calm.get("/p/demo/attention").text
    calm.now += 24 * MINUTE
    assert "No ticket needs a person." in calm.get("/p/demo/attention").text
    calm.now = NOW
    stops.note(calm.store, STOP)
    assert "No ticket needs a person." in calm.get("/p/demo/attention").text
    calm.close()


# a ticket


@pytest.mark.parametrize("ref", ["R-000002", "I-000002", "r-000002", "2", "external:UserRequest:2"])
def test_a_ticket_is_found_by_either_number(desk: Desk, ref: str) -> None:
    assert desk.get(f"/t/{ref}").headers["location"] == "/p/demo/t/2"
    assert desk.get(f"/t?q={ref}").headers["location"] == "/p/demo/t/2"


def test_a_number_that_is_unknown_is_told_as_words(desk: Desk) -> None:
    answer = desk.get("/t?q=<script>alert(1)</script>")
    assert (answer.status_code, "<script>alert" in answer.text) == (404, False)


@pytest.mark.parametrize(
    "path", ["/p/demo/t/77", "/p/demo/t/x", "/p/demo/t/-1", "/p/demo/requests/7", "/p/none", "/p/demo/nothing"]
)
def test_what_is_not_there_is_told(desk: Desk, path: str) -> None:
    answer = desk.get(path)
    assert (answer.status_code, "There is no such page" in answer.text) == (404, True)


def test_a_ticket_tells_what_arrived_and_what_is_to_come(desk: Desk) -> None:
    text = desk.get("/p/demo/t/2").text
    assert "Notes that a prefix keeps in internal are not listed here: <code>itopsync show 2</code>" in text
    assert "http://127.0.0.1:8081/pages/UI.php?operation=details&amp;class=UserRequest&amp;id=2" in text
    assert "http://127.0.0.1:8082/pages/UI.php?operation=details&amp;class=UserRequest&amp;id=102" in text
    said = words_of(text)
    assert "note in external carried 2026-11-29 11:59:00 after 12 s" in said
    assert TOO_LARGE in said
    assert "last agreed on assigned" in said


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": LinkStatus.TOMBSTONE}, "Nothing: one of the two tickets is gone"),
        ({"status": LinkStatus.PARKED}, "Nothing until it is resumed"),
        ({"status": LinkStatus.WAITING, "due_at": NOW}, "Its copy is created."),
        ({"status": LinkStatus.UNLINKING}, "A note on internal"),
        ({"in_doubt": True, "due_at": NOW + MINUTE}, "The outcome of a write is unknown"),
        ({"due_at": NOW + MINUTE}, "The next look is due:"),
        ({"due_at": NOW - MINUTE}, "The next cycle looks at it."),
        ({}, "Nothing: both sides agree"),
    ],
)
def test_what_is_to_come_is_told_for_every_state(desk: Desk, changes: dict[str, Any], told: str) -> None:
    (link,) = desk.store.links.get([1])
    assert to_come(replace(link, **changes), kept=True, paused=False, now=NOW)[0].what.startswith(told)


def test_what_is_parked_is_not_said_to_come_nor_to_wait(desk: Desk) -> None:
    (link,) = desk.store.links.get([1])
    file = FilePair(Side.EXTERNAL, 17, None, FileStatus.WAITING)
    parked = tuple(Obstacle(key, "", "refused", tries=3, parked=True, not_before=None) for key in (file.key, TICKET))
    stuck = replace(link, status=LinkStatus.WAITING, files=(file,), obstacles=parked)
    assert to_come(stuck, kept=True, paused=False, now=NOW) == []
    assert items(stuck, [])[-1].what == "parked"
    waiting = replace(stuck, obstacles=())
    assert [each.what for each in to_come(waiting, kept=True, paused=False, now=NOW)][:1] == ["Its copy is created."]
    assert items(waiting, [])[-1].what == "waiting"


def test_what_differed_when_two_were_linked_by_hand_is_left_until_it_is_agreed_on(desk: Desk) -> None:
    (link,) = desk.store.links.get([1])
    then, now = Agreed("aa", "bb"), Agreed("cc", "cc")
    for agreed, told in ((then, "left as it is"), (now, "agreed")):
        base = replace(link.base, state=agreed, fields={"solution": agreed}, apart={"state": then, "solution": then})
        shown = items(replace(link, base=base, files=()), [])
        assert [each.what for each in shown if each.kind in (ItemKind.STATE, ItemKind.FIELD)] == [told, told]


# activity and verifications


def test_the_activity_is_searched_and_goes_on_page_by_page(desk: Desk) -> None:
    assert desk.get("/p/demo/activity").text.count("<tr><td><time") == 5
    assert desk.get("/p/demo/activity?q=R-000003").text.count("<tr><td><time") == 1
    assert "Nothing found" in desk.get("/p/demo/activity?q=R-999999").text
    for number in range(60):
        desk.store.requests.ask(RequestKind.SYNC, "root", NOW + number * MINUTE, link=2)
    first = desk.get("/p/demo/activity?show=requests&q=R-000002").text
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = desk.get(f"/p/demo/activity{older.replace('&amp;', '&')}").text
    assert (first.count("<tr><td><time"), second.count("<tr><td><time")) == (50, 10)


def test_the_activity_tells_the_route_and_what_fell_back(desk: Desk) -> None:
    told = (ItemKey.of(ItemKind.ROUTE, "Globex <b>"), ItemKey.of(ItemKind.FALL_BACK, "team_id: the look-up finds nothing"))
    (link,) = desk.store.links.get([2])
    write = ActivityRecord(NOW, 2, Side.INTERNAL, "create", "done", (TICKET, *told), None, NOW)
    desk.store.links.save(link, now=NOW, live=True, activity=[write])
    page = desk.get("/p/demo/activity?lang=en").text
    assert "<br>route <code>Globex &lt;b&gt;</code><br>fall-back <code>team_id: the look-up finds nothing</code></td>" in page
    assert "<br>rute <code>Globex" in desk.get("/p/demo/activity?lang=id").text


@pytest.mark.parametrize(
    "query", ["before=x", "before=2026-11-29T12:00:00~1", "before=2026-11-29T12:00:00Z~-1", "since=9y", "q=%00"]
)
def test_a_wrong_question_is_no_trouble(desk: Desk, query: str) -> None:
    assert desk.get(f"/p/demo/activity?{query}").status_code == 200


def test_what_a_request_has_come_to_is_told_until_it_is_done(desk: Desk) -> None:
    number = desk.store.requests.ask(RequestKind.VERIFY, "web:alice", NOW)
    waiting = desk.get(f"/p/demo/requests/{number}").text
    assert f'hx-get="/p/demo/requests/{number}"' in waiting
    desk.store.requests.take(number, NOW)
    desk.store.requests.finish(number, RequestState.DONE, "5 of 5 linked tickets agree.", NOW)
    assert "no process is running: the request waits" in waiting
    done = desk.get(f"/p/demo/requests/{number}")
    assert ("hx-get" in done.text, "5 of 5 linked tickets agree." in done.text) == (False, True)
    assert done.headers["hx-refresh"] == "true"
    assert "5 of 5 linked tickets agree." in desk.get("/p/demo/verify").text


# both languages


@pytest.mark.parametrize(
    ("chosen", "accepted", "spoken"),
    [
        (None, "", "en"),
        (None, "id-ID,id;q=0.9,en;q=0.8", "id"),
        (None, "fr, en;q=0.4, id;q=0.7", "id"),
        (None, "in;q=x, , ;q=1", "en"),
        ("en", "id", "en"),
        ("xx", "id", "id"),
    ],
)
def test_the_reader_is_spoken_to_in_their_language(chosen: str | None, accepted: str, spoken: str) -> None:
    assert words.best(chosen, accepted) == spoken


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_there_in_indonesian(desk: Desk, page: str) -> None:
    answer = desk.get(page, headers={**PROXIED, "Accept-Language": "id"})
    assert (answer.status_code, answer.headers["content-language"]) == (200, "id")
    assert '<html lang="id">' in answer.text
    assert "Perlu perhatian" in answer.text


def test_a_choice_of_language_is_remembered(desk: Desk) -> None:
    answer = desk.get("/?lang=id")
    assert answer.headers["set-cookie"].startswith("itopsync-language=id; HttpOnly;")
    assert '<html lang="id">' in desk.get("/", headers={**PROXIED, "Cookie": "itopsync-language=id"}).text
    assert "set-cookie" not in desk.get("/?lang=xx").headers


def test_whatever_the_pages_say_is_said_in_indonesian_too() -> None:
    texts = "".join(path.read_text() for folder in (TEMPLATES, DESKS / "templates") for path in folder.glob("*.html"))
    said = set(re.findall(r'_\("([^"]+)"', texts)) | set(re.findall(r"_\('([^']+)'", texts))
    code = "".join((TEMPLATES.parent / name).read_text() for name in ("app.py", "ticket.py", "causes.py", "pages.py", "views.py"))
    code += (DESKS / "people.py").read_text()
    assert said - words.INDONESIAN.keys() == set()
    unused = {text for text in words.INDONESIAN if text not in said and text not in code and len(text.split()) > 3}
    assert unused == set()
    assert all(re.findall(r"{\w+}", text) == re.findall(r"{\w+}", told) for text, told in words.INDONESIAN.items())


def test_the_runbook_in_the_program_is_the_one_in_the_documents() -> None:
    told = (ROOT / "itopsync" / "web" / "runbook.json").read_text()
    assert told == runbook.made(ROOT), "run `make man`"


@pytest.mark.parametrize(
    ("reason", "does"),
    [
        (TOO_LARGE, "raise the limit"),
        ("internal: cannot be reached: no route", "try curl from this host"),
        ("nobody has said this before", None),
    ],
)
def test_a_message_is_told_with_what_the_runbook_says(reason: str, does: str | None) -> None:
    found = runbook.remedy(reason, "en")
    assert (found or "").startswith(does or "")
    assert (found is None) == (does is None)


# what it costs


QUERIES = {"/": 27, "attention": 24, "activity": 9, "cycles": 8, "verify": 7, "t/7": 11, "activity?show=requests&q=7": 11}
"""So many statements a page sends, besides those that begin a transaction."""


@pytest.fixture(scope="session")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Desk]]:
    """Consoles before an empty store, a small one, and one as years leave it."""
    desks = {name: Desk(tmp_path_factory.mktemp(name)) for name in ("empty", "small", "large")}
    for name, links in (("small", 40), ("large", 4_000)):
        busy.fill(desks[name].store, links, NOW)
        busy.rich(desks[name].store, 7, NOW)
    yield desks
    for desk in desks.values():
        desk.close()


@pytest.mark.slow
@pytest.mark.parametrize("page", QUERIES)
def test_a_page_asks_the_store_the_same_however_much_there_is(years: dict[str, Desk], page: str) -> None:
    sent = {}
    for name, desk in years.items():
        desk.get("/")
        with statements() as queries:
            answer = desk.get(f"/p/demo/{page}" if page != "/" else page)
        assert answer.status_code == (404 if (name, page) == ("empty", "t/7") else 200)
        sent[name] = len(queries)
    assert sent["small"] == sent["large"] == QUERIES[page]
    assert sent["empty"] <= sent["small"]


@pytest.mark.parametrize("outcome", CycleOutcome)
def test_every_outcome_of_a_cycle_can_be_shown(desk: Desk, outcome: CycleOutcome) -> None:
    desk.store.history.record(CycleRecord(None, "poll", NOW, NOW, outcome, {}))
    assert f'<rect class="{outcome}"' in desk.get("/p/demo/cycles").text
