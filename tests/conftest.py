"""What holds for every test: nothing but this machine can be reached, examples repeat, and what was tried is told in the end."""

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from itertools import groupby
from pathlib import Path
from typing import cast

import pytest
import structlog
from hypothesis import settings
from structlog.contextvars import merge_contextvars
from structlog.dev import set_exc_info
from structlog.processors import KeyValueRenderer, add_log_level, format_exc_info
from structlog.typing import Processor

from tests.network import stay_here
from tests.store.compiling import share_compiled

stay_here()
share_compiled()
# As from Python 3.13 on: Apprise tries whether there is this one, which 3.11 and 3.12 warn of, and does without it
cast("dict[str, object]", sys.modules)["imghdr"] = None

if "XDG_RUNTIME_DIR" not in os.environ:  # as in a session without a login; what starts PostgreSQL wants one
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="itopsync-")
    atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"])

settings.register_profile("steady", derandomize=True, max_examples=60, deadline=None)
settings.register_profile("deep", max_examples=2_000, deadline=None)
settings.load_profile("steady")

PLAIN: list[Processor] = [merge_contextvars, add_log_level, set_exc_info, format_exc_info, KeyValueRenderer()]

SLOW = (
    *("cli", "daemon", "test_package.py", "web/test_browser.py", "web/test_desks.py", "web/test_serve.py"),  # whole processes
    *("engine/test_calls.py", "engine/test_stop.py", "simulator/test_speed.py"),  # very many tickets, or cycles
    *(f"engine/test_{name}.py" for name in ("the_sop", "crashes", "blockers", "by_hand", "troubles", "odd_data", "accounts")),
    *(f"engine/test_{name}.py" for name in ("large_requests", "hostile_texts", "verifying", "rebuild", "reused_file_ids")),
    *(f"engine/test_{name}.py" for name in ("routes", "steering", "seen_again", "unreadable", "work", "restores", "rings")),
    *(f"engine/test_{name}.py" for name in ("lost_markers", "reused_ids", "old_bridge", "sweeps", "lasting", "changed_logs")),
    *(f"engine/test_{name}.py" for name in ("full_logs", "unanswered", "clock_stepped", "changed_classes", "strays")),
    *(f"check/test_{name}.py" for name in ("defaults", "routes", "check", "dates", "tickets")),
    *("watch/test_hooks.py", "watch/test_metrics.py"),
    *("store/test_migrations.py", "store/test_opening.py"),
    *("torture", "itop/test_any_answer.py", "watch/test_nothing_leaks.py"),  # very many examples
    *(f"reconcile/test_{name}.py" for name in ("agreement", "any_html", "convergence", "defaults")),
    *("reconcile/test_costly_html.py", "verify/test_costly_html.py"),  # very long texts
)
"""What takes more than a second or so: the marker ``slow``, which `make quick` leaves out, as of single tests elsewhere."""


@pytest.fixture(autouse=True)
def logs_as_at_first() -> Iterator[None]:
    """What a test configures for its logs does not hold for the next one.

    At first they are plain: each traceback with colours and all variables takes longer than what is tested.
    """
    structlog.configure(processors=[*PLAIN])
    yield
    structlog.reset_defaults()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage meanwhile, nor look through the tests for any later: that takes as long as all else here."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(5_000, 20, 50)  # else one in twenty seconds of all tests goes into collections
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow."""
    places = [Path(__file__).parent / place for place in SLOW]
    assert all(place.exists() for place in places)
    for path, theirs in groupby(items, key=lambda item: item.path):
        if any(path.is_relative_to(place) for place in places):
            for item in theirs:
                item.add_marker("slow")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell scenarios, boundaries, runs and violations; a test of the torture records them as its property ``torture``.

    What a test of the units records as ``systemd`` is told too, whether systemd itself was asked; so is ``browser``.
    """
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, ())]
    tools = ("browser", "systemd")
    for line in sorted({f"{name}: {value}" for report in reports for name, value in report.user_properties if name in tools}):
        terminalreporter.write_line(line)
    rows = sorted(tuple(value) for report in reports for name, value in report.user_properties if name == "torture")
    if not rows:
        return
    terminalreporter.section("torture")
    for scenario, boundaries, runs, violations in rows:
        terminalreporter.write_line(f"{boundaries:5} boundaries {runs:5} runs {violations:4} violations  {scenario}")
    total = [sum(row[place] for row in rows) for place in (1, 2, 3)]
    scenarios = len({row[0].partition(" · ")[0] for row in rows})
    terminalreporter.write_line("{:5} boundaries {:5} runs {:4} violations  in all, {} scenarios".format(*total, scenarios))
