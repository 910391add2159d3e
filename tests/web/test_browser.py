"""The console in a real browser: what people see and do, with and without JavaScript, on a desk and on a telephone.

Where ITOPSYNC_BROWSER_REQUIRED is set, as CI does, there must be a browser; elsewhere its absence is told in the summary.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from itopsync.engine import stops
from itopsync.engine.steering import Steering
from itopsync.store.records import RequestKind
from itopsync.web.accounts import Accounts
from tests.web.browser import page, serving
from tests.web.desk import ACCOUNTS, STOP, STORE, Desk

PAGES = ("/", "/p/demo/attention", "/p/demo/t/2", "/p/demo/activity", "/p/demo/cycles", "/p/demo/verify", "/t?q=R-9")
NARROW = {"width": 360, "height": 740}
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _told(browser: Browser | None, record_property: Callable[[str, object], None]) -> None:
    record_property("browser", f"{browser.version} was used" if browser else "not used: no Chromium here")


@pytest.fixture
def signed(tmp_path: Path, filled: Path) -> Iterator[tuple[Desk, str]]:
    """A console with local accounts, which two clocks of this moment drive, and its address."""
    shutil.copy(filled / STORE, tmp_path / STORE)
    desk = Desk(tmp_path, ACCOUNTS, now=datetime.now(UTC))
    for name in ("alice", "bob"):
        Accounts(tmp_path / "accounts").put(name, PASSWORD)
    with serving(desk) as address:
        yield desk, address
    desk.close()


def sign_in(tab: Page, address: str, name: str = "alice", there: str = "/") -> None:
    tab.goto(f"{address}{there}")
    tab.locator("input[name=name]").fill(name)
    tab.locator("input[name=password]").fill(PASSWORD)
    tab.locator("main button").click()
    tab.wait_for_url(f"{address}{there}")


def carry_out(desk: Desk) -> None:
    """What the process at work does with what is asked for."""
    rules = desk.watched["demo"].rules
    for request in desk.store.requests.waiting():
        taken = desk.store.requests.take(request.id, desk.now)
        assert taken is not None
        Steering(desk.store, rules, lambda: desk.now).carry_out(taken)


@pytest.mark.parametrize(
    ("language", "look"),
    [("en", {"color_scheme": "light"}), ("id", {"color_scheme": "dark", "viewport": NARROW})],
    ids=["desk", "telephone"],
)
def test_every_page_is_accessible_and_fits(
    browser: Browser | None, signed: tuple[Desk, str], language: str, look: dict[str, Any]
) -> None:
    desk, address = signed
    stops.note(desk.store, STOP)
    if browser is None:
        return
    with page(browser, locale=language, **look) as tab:
        tab.goto(address)
        found = {"/sign-in": _faults(tab)}
        sign_in(tab, address)
        for path in PAGES:
            tab.goto(f"{address}{path}")
            assert tab.locator("html").get_attribute("lang") == language
            found[path] = _faults(tab)
            wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert (path, wide) == (path, 0)
    assert [fault for faults in found.values() for fault in faults] == []


def _faults(tab: Page) -> list[str]:
    """What axe finds."""
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in Axe().run(tab).response["violations"]]


@pytest.mark.parametrize("scripts", [True, False], ids=["JavaScript", "no JavaScript"])
def test_an_operator_pauses_parks_resumes_retries_accepts_and_verifies(
    browser: Browser | None, signed: tuple[Desk, str], scripts: bool
) -> None:
    desk, address = signed
    stops.note(desk.store, STOP)
    if browser is None:
        return

    def told_done(tab: Page, says: str) -> None:
        """It waits; the process at work does it; the page tells by itself, or when it is loaded again."""
        tab.locator("#asked", has_text="waiting").wait_for()
        carry_out(desk)
        if not scripts:
            tab.reload()
        tab.locator("#asked", has_text=says).wait_for()

    with page(browser, java_script_enabled=scripts) as tab:
        sign_in(tab, address)
        tab.locator("select[name=side]").select_option("internal")
        tab.locator("input[name=reason]").fill("upgrade")
        tab.get_by_role("button", name="Pause").click()
        told_done(tab, "internal is paused by web:alice")
        tab.reload()
        tab.get_by_role("button", name="End the pause").click()
        told_done(tab, "worked with again")
        tab.get_by_role("link", name="Attention", exact=True).click()
        tab.get_by_role("button", name="Accept 2 creations").click()
        told_done(tab, "accepted, and nothing on top of it")
        tab.get_by_role("button", name="Retry all with this cause").first.click()
        told_done(tab, "is tried again by the next cycle")
        tab.locator("#find").fill("I-000001")
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/p/demo/t/1")
        tab.locator("summary", has_text="Park").click()
        tab.get_by_role("button", name="Park").click()
        told_done(tab, "rests")
        tab.reload()
        tab.get_by_role("button", name="Resume").click()
        told_done(tab, "is taken up again")
        tab.get_by_role("button", name="Sync now").click()
        told_done(tab, "is looked at by the next cycle")
        tab.locator("summary", has_text="Unlink").click()
        tab.locator("input[name=sure]").check()
        tab.get_by_role("button", name="Unlink").click()
        told_done(tab, "nothing is carried any more")
        tab.get_by_role("link", name="Verify").click()
        tab.get_by_role("button", name="Verify now").click()
        tab.locator("#asked", has_text="waiting").wait_for()
    assert {each.kind for each in desk.asked()} == {
        RequestKind(kind) for kind in ("pause", "unpause", "accept", "retry", "park", "resume", "sync", "unlink", "verify")
    }
    assert {each.actor for each in desk.asked()} == {"web:alice"}


def test_who_only_looks_sees_no_button_and_the_keyboard_is_enough(browser: Browser | None, signed: tuple[Desk, str]) -> None:
    _, address = signed
    if browser is None:
        return
    with page(browser) as tab:
        sign_in(tab, address, "bob")
        assert "view only" in tab.locator(".who").inner_text()
        for path in PAGES:
            tab.goto(f"{address}{path}")
            assert tab.locator('form[action$="/ask"]').count() == 0
        tab.goto(address)
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "skip"
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.id") == "main"


def test_a_page_refreshes_itself_and_signs_out_when_the_session_ends(browser: Browser | None, signed: tuple[Desk, str]) -> None:
    desk, address = signed
    if browser is None:
        return
    with page(browser) as tab:
        tab.clock.install()
        sign_in(tab, address, there="/p/demo/activity")
        rows = tab.locator("#live tbody tr")
        assert rows.count() == 5
        desk.add(77)
        tab.clock.run_for(11_000)
        tab.get_by_text("R-000077").wait_for()
        assert rows.count() == 6
        desk.monotonic += 3600
        tab.clock.run_for(11_000)
        tab.wait_for_url("**/sign-in?next=**")


def test_a_form_of_another_site_is_refused_by_what_the_browser_itself_says(
    browser: Browser | None, signed: tuple[Desk, str]
) -> None:
    desk, address = signed
    if browser is None:
        return
    form = f'<form action="{address}/p/demo/ask" method="post"><input name="kind" value="sweep"><button>Win</button></form>'
    with page(browser) as tab:
        sign_in(tab, address)
        other = address.replace("localhost", "127.0.0.1")
        tab.route(f"{other}/evil", lambda route: route.fulfill(content_type="text/html", body=form))
        tab.goto(f"{other}/evil")
        tab.get_by_role("button").click()
        tab.get_by_text("this form was sent from another site").wait_for()
    assert desk.asked() == []
