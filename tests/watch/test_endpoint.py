"""Monitoring asks over HTTP: metrics, and whether it works."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from itopsync.watch.endpoint import AT_ONCE, Health, serve
from itopsync.watch.metrics import Metrics


@dataclass
class Watched:
    """An endpoint whose time the test moves."""

    port: int
    health: Health
    wait: Callable[[float], None]

    def ask(self, path: str, accept: str = "*/*") -> tuple[int, str, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers["Content-Type"], refusal.read().decode()


@pytest.fixture
def watched() -> Iterator[Watched]:
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    health = Health(timedelta(minutes=5), lambda: now[0])
    metrics = Metrics("demo", lambda: datetime(2026, 11, 24, tzinfo=UTC))
    with serve("127.0.0.1", 0, metrics.registry, health) as port:
        yield Watched(port, health, wait)


def test_prometheus_gets_its_metrics_in_the_form_it_asks_for(watched: Watched) -> None:
    status, kind, text = watched.ask("/metrics")
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert 'itopsync_build_info{pair="demo"' in text
    assert "process_resident_memory_bytes" in text
    status, kind, text = watched.ask("/metrics", "application/openmetrics-text; version=1.0.0")
    assert (status, kind.partition(";")[0]) == (200, "application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_health_is_the_age_of_the_last_good_cycle(watched: Watched) -> None:
    assert watched.ask("/healthz")[0] == 200  # it has only just begun
    watched.wait(301)
    status, kind, text = watched.ask("/healthz")
    assert (status, kind) == (503, "application/json")
    assert json.loads(text)["seconds_since_last_good_cycle"] is None
    watched.health.good()
    watched.wait(299)
    status, _, text = watched.ask("/healthz?verbose")
    assert (status, json.loads(text)) == (
        200,
        {"status": "ok", "seconds_since_last_good_cycle": 299, "max_age_seconds": 300},
    )
    watched.wait(2)
    assert watched.ask("/healthz")[0] == 503


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/healthz/x"])
def test_there_is_nothing_else(watched: Watched, path: str) -> None:
    assert watched.ask(path)[0] == 404


def test_those_who_connect_and_say_nothing_are_bounded_in_number(watched: Watched) -> None:
    silent = [socket.create_connection(("127.0.0.1", watched.port)) for _ in range(AT_ONCE)]
    try:
        with socket.create_connection(("127.0.0.1", watched.port), timeout=5) as one_too_many:
            assert one_too_many.recv(1) == b""  # sent away at once
    finally:
        for connection in silent:
            connection.close()


def test_it_ends_with_its_context() -> None:
    metrics = Metrics("demo", lambda: datetime(2026, 11, 24, tzinfo=UTC))
    with serve("127.0.0.1", 0, metrics.registry, Health(timedelta(minutes=5))) as port:
        held = socket.create_connection(("127.0.0.1", port))  # whoever hangs on does not hold it up
    held.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert not [thread for thread in threading.enumerate() if thread.name == "metrics"]


def test_it_listens_on_ipv6_too() -> None:
    metrics = Metrics("demo", lambda: datetime(2026, 11, 24, tzinfo=UTC))
    with (
        serve("::1", 0, metrics.registry, Health(timedelta(minutes=5))) as port,
        urllib.request.urlopen(f"http://[::1]:{port}/healthz", timeout=10) as answer,
    ):
        assert answer.status == 200
