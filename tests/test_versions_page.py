"""The pages on iTop's versions and the READMEs say what is recorded, and what is recorded can be looked up."""

from __future__ import annotations

import re

import pytest

from tests import versions_page as page
from tests.itop.stage import VERSIONS as RECORDED


@pytest.mark.parametrize("language", page.PAGES)
def test_the_pages_and_the_readmes_say_what_is_recorded(language: str) -> None:
    assert page.shown(language) == page.table(language)
    assert page.READMES[language].read_text().endswith(f"\n\n{page.last_line(language)}\n")


def test_each_suite_is_there() -> None:
    suites = page.results()["suites"].keys() - {page.BY_HAND}
    assert {suite for suite in suites if not (page.ROOT / suite).exists()} == set()
    assert page.SIMULATED.keys() <= suites


def test_each_run_names_what_it_was() -> None:
    told = page.results()
    for run in told["real"]:
        assert run.keys() == {"suite", "versions", "date", "commit", "result"}
        assert run["suite"] in told["suites"]
        assert told["versions"].keys() >= set(run["versions"])
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", run["date"])
        assert re.fullmatch(r"[0-9a-f]{7,}", run["commit"])


def test_the_client_was_recorded_on_what_the_page_says() -> None:
    assert {run["versions"][0] for run in page.results()["real"] if run["suite"] == "tests/itop"} == set(RECORDED)


def test_each_simulated_version_stands_for_one_that_is_named() -> None:
    assert list(page.results()["versions"].values()) == sorted(set().union(*page.SIMULATED.values()))
