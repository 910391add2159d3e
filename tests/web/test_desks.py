"""The page to play on, in a real browser: two simulated desks, and between them the bridge, a process of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page

from itopsync.demo.compare import Item, compare
from itopsync.demo.desks import serving
from itopsync.demo.serve import PICTURE, Pair, open_pair
from itopsync.errors import ConfigurationError
from tests.web.browser import page
from tests.web.test_browser import NARROW

SECRET = "#internal Old model, replace it"
MULTIPART = {"Sec-Fetch-Site": "same-origin", "Content-Type": "multipart/form-data; boundary=x"}
PATIENCE = 60_000
"""Milliseconds for a process to start, and to carry something, on a machine that has other things to do."""
PICTURES = Path(str(PICTURE))


@pytest.fixture(autouse=True)
def _told(browser: Browser | None, record_property: Callable[[str, object], None]) -> None:
    record_property("browser", f"{browser.version} was used" if browser else "not used: no Chromium here")


@pytest.fixture
def played() -> Iterator[tuple[Pair, str]]:
    """Two desks, and the page's address."""
    with open_pair() as pair, serving(pair) as address:
        yield pair, address


def write(tab: Page, side: str, text: str) -> None:
    tab.locator(f"#{side}-text").fill(text)
    tab.locator(f"#{side}-write").click()


def note(tab: Page, side: str, text: str) -> Locator:
    return tab.locator(f"#{side}-log .note", has_text=text)


def differing(pair: Pair) -> list[Item]:
    """What is not the same on both, item by item, looked at in the servers' own data."""
    own = [ticket["id"] for ticket in pair.internal.tickets() if ticket["title"].startswith("Rotate")]
    return [item for item in compare(pair.external, pair.internal, besides=own) if not item.agrees]


def test_what_is_done_on_one_desk_arrives_on_the_other(browser: Browser | None, played: tuple[Pair, str], tmp_path: Path) -> None:
    pair, address = played
    if browser is None:
        return
    (tmp_path / "Rechnung März.txt").write_bytes(bytes(range(256)) + b"\r\n--x\r\n")
    with page(browser) as tab:
        tab.set_default_timeout(PATIENCE)
        tab.goto(address)
        tab.get_by_text("No copy here yet").wait_for()
        tab.get_by_role("button", name="Start the bridge").click()
        tab.locator("#internal-list .fresh", has_text="Printer broken").wait_for()
        note(tab, "internal", "It shows this").locator("img").wait_for()
        assert tab.evaluate("document.querySelector('#internal-log img').naturalWidth") == 300
        tab.locator("#internal-text").fill("half a thought")  # what is being typed stays where it is
        tab.locator("#external-file input[type=file]").set_input_files(tmp_path / "Rechnung März.txt")
        tab.locator("#external-add").click()
        tab.locator("#external-note input[type=file]").set_input_files(PICTURES)
        write(tab, "external", "<b>Now</b> it smells.\nOf smoke.")
        tab.locator("#internal-log .fresh", has_text="<b>Now</b> it smells.").wait_for()
        tab.locator("#internal-log", has_text="Rechnung März.txt").wait_for()
        assert tab.locator("#internal-text").input_value() == "half a thought"
        assert tab.locator("#external-text").input_value() == ""
        write(tab, "internal", SECRET)
        note(tab, "internal", SECRET).wait_for()
        write(tab, "internal", "We are on our way.")
        tab.locator("#internal-ev_assign").click()
        note(tab, "external", "We are on our way.").wait_for()
        tab.locator("#external-ticket", has_text="assigned").wait_for()
        assert "Old model" not in tab.locator(".desk.external").inner_text()
        tab.get_by_text("Open a ticket").click()
        tab.locator("input[name=title]").fill("Screen flickers")
        tab.get_by_role("button", name="Open the ticket").click()
        tab.locator("#internal-ticket", has_text="Screen flickers").wait_for()
        with page(browser) as other:
            other.goto(tab.get_by_role("link", name="Overview").get_attribute("href") or "")
            assert "4" in other.locator(".figures div", has_text="Linked").inner_text()
            assert other.get_by_role("button", name="Pause").count() == 1
    assert differing(pair) == []


def test_a_server_cut_off_and_a_bridge_killed_lose_nothing_and_double_nothing(
    browser: Browser | None, played: tuple[Pair, str]
) -> None:
    pair, address = played
    if browser is None:
        return
    with page(browser) as tab:
        tab.set_default_timeout(PATIENCE)
        tab.goto(address)
        tab.get_by_role("button", name="Start the bridge").click()
        note(tab, "internal", "It shows this").wait_for()
        tab.locator("#internal-cut").click()
        tab.locator("#lately", has_text="unavailable").wait_for()
        write(tab, "external", "While it was cut off")
        write(tab, "internal", "Its people go on")
        note(tab, "internal", "Its people go on").wait_for()
        process = int(tab.locator("#bridge .quiet").inner_text().split()[-1])
        tab.get_by_role("button", name="Kill the bridge").click()
        tab.locator("#bridge", has_text="killed").wait_for()
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
        tab.locator("#internal-cut").click()
        tab.locator("#internal-list", has_text="reachable").wait_for()
        tab.get_by_role("button", name="Start the bridge").click()
        note(tab, "internal", "While it was cut off").wait_for()
        note(tab, "external", "Its people go on").wait_for()
        os.kill(int(tab.locator("#bridge .quiet").inner_text().split()[-1]), signal.SIGTERM)
        tab.locator("#bridge", has_text="ended by itself").wait_for()
        for side in ("external", "internal"):
            assert note(tab, side, "While it was cut off").count() == note(tab, side, "Its people go on").count() == 1
    assert differing(pair) == []


def test_it_works_without_javascript(browser: Browser | None, played: tuple[Pair, str]) -> None:
    pair, address = played
    if browser is None:
        return

    def wait_for(locator: Locator) -> None:
        for _ in range(100):
            if locator.count():
                return
            tab.wait_for_timeout(200)
            tab.get_by_role("link", name="Look again").click()
        raise AssertionError(locator)

    with page(browser, java_script_enabled=False) as tab:
        tab.goto(address)
        tab.locator("#internal-list a").click()
        assert "never leaves it" in tab.locator("#external-ticket").inner_text()
        tab.locator("#external-list a", has_text="Mail is down").click()
        write(tab, "external", "")
        assert "A note needs a text" in tab.get_by_role("alert").inner_text()
        write(tab, "external", "Still nothing.")
        assert tab.get_by_role("alert").count() == 0
        tab.get_by_role("button", name="Start the bridge").click()
        wait_for(note(tab, "internal", "Still nothing."))
        tab.locator("#internal-ev_assign").click()
        wait_for(tab.locator("#external-ticket", has_text="assigned"))
    assert differing(pair) == []


@pytest.mark.parametrize(
    ("language", "look"),
    [("en", {"color_scheme": "light"}), ("id", {"color_scheme": "dark", "viewport": NARROW})],
    ids=["desk", "telephone"],
)
def test_it_is_accessible_and_fits(
    browser: Browser | None, played: tuple[Pair, str], language: str, look: dict[str, object]
) -> None:
    pair, address = played
    pair.internal.agent().create("UserRequest", title="Donaudampfschifffahrtsgesellschaft" * 4, private_log="<p>x</p>")
    if browser is None:
        return
    with page(browser, locale=language, reduced_motion="reduce", **look) as tab:
        for opened in ("", "?open=internal:UserRequest:2"):
            tab.goto(address + opened)
            tab.locator("#internal-cut").click()
            tab.locator("#internal-cut:not(.danger)").wait_for()
            assert tab.locator("html").get_attribute("lang") == language
            assert [each for found in Axe().run(tab).response["violations"] for each in found["nodes"]] == []
            assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_it_takes_forms_of_its_own_pages_only_and_hands_files_over(played: tuple[Pair, str]) -> None:
    pair, address = played
    file = pair.external.agent().attach("UserRequest", 1, "x.html", "text/html", b"<script>alert(1)</script>")
    with httpx.Client(base_url=address) as client:
        cut = b'--x\r\nContent-Disposition: form-data; name="off"\r\n\r\nyes\r\n--x--\r\n'
        for headers, status in (
            (MULTIPART | {"Sec-Fetch-Site": "cross-site"}, 403),
            (MULTIPART | {"Host": "evil.example"}, 421),
            ({"Sec-Fetch-Site": "same-origin"}, 400),
        ):
            assert client.post("/internal/cut", content=cut, headers=headers).status_code == status
        assert client.post("/internal/cut", content=b"x" * 2_000_001, headers=MULTIPART).status_code == 413
        assert not pair.internal.faults
        assert client.post("/internal/cut", content=cut, headers=MULTIPART).status_code == 303
        assert pair.internal.faults
        handed = client.get(f"/file/external/Attachment/{file}")
        assert (handed.content, handed.headers["content-type"]) == (b"<script>alert(1)</script>", "application/octet-stream")
        assert handed.headers["content-disposition"].startswith("attachment;")
        assert "script-src 'self'" in handed.headers["content-security-policy"]
        for path in ("/file/external/Person/1", "/file/elsewhere/Attachment/1", "/file/external/Attachment/99"):
            assert client.get(path).status_code == 404
        for opened in ("external", "external:Person:1", "external:UserRequest:x", "x:y:z", "::"):
            assert client.get("/", params={"open": opened}).status_code == 200
            assert client.post("/external/press", content=cut, headers=MULTIPART).status_code == 404


def test_a_text_is_cleaned_before_it_is_shown(played: tuple[Pair, str]) -> None:
    pair, address = played
    pair.external.agent().note(
        "UserRequest", 1, '<p onclick="x()">Hi<a href="javascript:x()">there</a><img src="http://evil/x.png"></p>'
    )
    shown = httpx.get(address).text
    assert "<p>Hithere<img></p>" in shown
    assert "evil" not in shown


def test_a_port_that_is_taken_is_told(played: tuple[Pair, str]) -> None:
    pair, address = played
    with (
        pytest.raises(ConfigurationError, match="cannot be listened on"),
        serving(pair, int(address.rstrip("/").rpartition(":")[2])),
    ):
        pass
