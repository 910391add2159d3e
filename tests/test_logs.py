"""Logs read well on a terminal, in a file and in the journal, and quote nobody."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from itopsync import logs
from itopsync.errors import StoreUnavailable


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    for handler in [each for each in root.handlers if each.get_name() == "itopsync"]:
        root.removeHandler(handler)


def told(level: str = "info", *, json_lines: bool = True, journal: bool = False) -> io.StringIO:
    """Where everything is logged to."""
    stream = io.StringIO()
    logs.configure(level, stream=stream, json_lines=json_lines, journal=journal)
    return stream


WORDS = "a customer's words"


def fail() -> None:
    """Fail as a library does that quotes what it was given."""
    try:
        int(WORDS)
    except ValueError as cause:
        raise KeyError(WORDS) from cause


@pytest.mark.parametrize(("level", "priority"), [("debug", 7), ("info", 6), ("warning", 4), ("error", 3)])
def test_each_line_for_the_journal_begins_with_its_priority(level: str, priority: int) -> None:
    stream = told("debug", journal=True)
    getattr(structlog.get_logger(), level)("cycle", kind="poll")
    line = stream.getvalue()
    assert line.startswith(f"<{priority}>{{")
    assert json.loads(line.removeprefix(f"<{priority}>"))["level"] == level


def test_a_traceback_on_several_lines_has_its_priority_on_each() -> None:
    stream = told(json_lines=False, journal=True)
    try:
        fail()
    except KeyError:
        structlog.get_logger().exception("internal error")
    lines = stream.getvalue().splitlines()
    assert len(lines) > 5
    assert all(line.startswith("<3>") for line in lines)


def test_a_line_has_when_and_how_grave_and_what_first() -> None:
    stream = told()
    structlog.get_logger().info("write", action="create")
    assert list(json.loads(stream.getvalue())) == ["timestamp", "level", "event", "action"]


def test_what_is_below_the_level_is_not_told() -> None:
    stream = told("warning")
    structlog.get_logger().info("cycle")
    logging.getLogger("apscheduler").info("chatter")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_traceback_tells_where_and_what_kind_but_quotes_nothing(json_lines: bool) -> None:
    stream = told(json_lines=json_lines)
    try:
        fail()
    except KeyError:
        structlog.get_logger().exception("internal error")
    text = stream.getvalue()
    assert "customer" not in text
    assert "builtins.ValueError" in text
    assert "builtins.KeyError" in text
    assert "in fail" in text


def test_our_own_errors_keep_their_words() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        raise StoreUnavailable("store /var/lib/x: disk full")
    assert logs.traceback_of(caught.value).endswith("itopsync.errors.StoreUnavailable: store /var/lib/x: disk full")


def test_errors_that_led_to_each_other_in_a_circle_end() -> None:
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert logs.traceback_of(first).count("Traceback") == 2


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_server_s_words_command_no_terminal_and_make_no_line(json_lines: bool) -> None:
    stream = told(json_lines=json_lines)
    structlog.get_logger().warning("parked", reason="a\x1b[31mb\nFAKE LINE\x07", link=17)
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert "\\u001b" not in text
    assert "\x07" not in text


def test_a_field_has_its_bounds() -> None:
    stream = told()
    structlog.get_logger().warning("parked", reason="x" * 300_000)
    assert len(json.loads(stream.getvalue())["reason"]) == logs.LONGEST


def test_what_libraries_say_reads_like_the_rest_and_quotes_nothing() -> None:
    stream = told()
    try:
        int(WORDS)
    except ValueError:
        logging.getLogger("apscheduler.executors").error("Job %s failed", "poll", exc_info=True)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["message"]) == ("library", "apscheduler.executors", "Job poll failed")
    assert line["level"] == "error"
    assert line["exception"].endswith("builtins.ValueError")


def test_configured_twice_nothing_is_told_twice() -> None:
    told()
    stream = told()
    logging.getLogger("sqlalchemy").warning("pool")
    assert stream.getvalue().count("\n") == 1


# where the lines lead


LOGGING = ["-c", "import structlog; from itopsync import logs; logs.configure(); structlog.get_logger().warning('parked')"]
FAILING = ["-m", "itopsync", "--config", "/nowhere/sync.toml", "run-once"]


def run(folder: Path, arguments: list[str], *, journal: bool) -> str:
    """What another process writes into a file; *journal*: as systemd connects it."""
    path = folder / "stderr"
    with path.open("w") as file:
        found = os.fstat(file.fileno())
        stream = f"{found.st_dev}:{found.st_ino}" if journal else "8:1"
        subprocess.run([sys.executable, *arguments], stderr=file, env={**os.environ, "JOURNAL_STREAM": stream}, check=False)
    return path.read_text()


def test_a_process_whose_lines_go_into_the_journal_says_their_priority(tmp_path: Path) -> None:
    assert run(tmp_path, LOGGING, journal=True).startswith('<4>{"timestamp"')
    assert run(tmp_path, LOGGING, journal=False).startswith('{"timestamp"')


@pytest.mark.slow
def test_what_ends_a_command_is_an_error_in_the_journal(tmp_path: Path) -> None:
    assert run(tmp_path, FAILING, journal=True).startswith("<3>/nowhere/sync.toml: there is no configuration")
    assert run(tmp_path, FAILING, journal=False).startswith("/nowhere/sync.toml: there is no configuration")


def test_a_pipe_that_nobody_reads_holds_up_neither_us_nor_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "PATIENCE", 0.01)
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4_096)
    with os.fdopen(writing, "w", buffering=1) as stream, os.fdopen(reading, "rb", buffering=0) as reader:
        logs.configure(stream=stream, json_lines=True)

        def tell() -> None:
            for number in range(100):
                structlog.get_logger().info("cycle", kind=f"ours {number}")
                logging.getLogger("library").warning("theirs %d", number)

        telling = threading.Thread(target=tell, daemon=True)
        telling.start()
        telling.join(30)
        assert not telling.is_alive()
        assert b"ours 0" in reader.read(100_000)
        structlog.get_logger().info("cycle", kind="at last")
        assert b"at last" in reader.read(100_000)
