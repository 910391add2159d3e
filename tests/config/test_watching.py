"""`[metrics]` and `[hooks]`: what they come to, and each fault with its remedy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from itopsync.watch import Need
from tests.config.making import ENVIRON, Case, Changes, check_fault, faults, load

HOOKED = {**ENVIRON, "HOOK": "s3cret/a b"}
AUTHORITY = str(Path(__file__).parent / "data" / "ca.pem")
CASES: list[Case] = [
    ("no port", {"metrics.listen": "127.0.0.1"}, "metrics.listen", "not an address with a port", "127.0.0.1:9464"),
    ("port 0", {"metrics.listen": "127.0.0.1:0"}, "metrics.listen", "not an address with a port", "127.0.0.1:9464"),
    ("a port too high", {"metrics.listen": "127.0.0.1:65536"}, "metrics.listen", "not an address with a port", "127.0.0.1:9464"),
    ("a long port", {"metrics.listen": f"127.0.0.1:{'9' * 9}"}, "metrics.listen", "not an address with a port", "127.0.0.1:9464"),
    ("no host", {"metrics.listen": ":9464"}, "metrics.listen", "not an address with a port", "127.0.0.1:9464"),
    ("IPv6 without brackets", {"metrics.listen": "fe80::zz:9464"}, "metrics.listen", "not an address with a port", "[::1]:9464"),
    (
        "everybody",
        {"metrics.listen": "0.0.0.0:9464"},
        "metrics.listen",
        "other machines could connect",
        'allow_remote = "0.0.0.0"',
    ),
    ("a name", {"metrics.listen": "host.example.com:9464"}, "metrics.listen", "other machines could", "127.0.0.1"),
    (
        "another address is allowed",
        {"metrics.listen": "192.0.2.7:9464", "metrics.allow_remote": "0.0.0.0"},
        "metrics.allow_remote",
        "not the address in listen",
        'allow_remote = "192.0.2.7"',
    ),
    (
        "allowed for nothing",
        {"metrics.allow_remote": "0.0.0.0"},
        "metrics.allow_remote",
        "there is no address to listen on",
        "metrics.listen",
    ),
    ("a file that is not read", {"metrics.textfile": "metrics.txt"}, "metrics.textfile", "does not end in .prom", ".prom"),
    ("a folder that is not there", {"metrics.textfile": "/no/m.prom"}, "metrics.textfile", "no folder /no", "node_exporter"),
    (
        "an age that no cycle keeps",
        {"metrics.max_age": "1m", "schedule.poll": "2m"},
        "metrics.max_age",
        "in quiet hours, cycles are further apart than this",
        "which is 2m",
    ),
    (
        "no age with a cron expression",
        {"metrics.listen": "127.0.0.1:9464", "schedule.poll": "*/5 * * * *"},
        "metrics.max_age",
        "missing",
        "cron",
    ),
    (
        "a command without its path",
        {"hooks.command": ["mail"]},
        "hooks.command",
        "not begin with the full path",
        "/usr/local/bin",
    ),
    ("a shell's line", {"hooks.command": ["/bin/sh -c date"]}, "hooks.command", "cannot be run", "may run it"),
    ("a folder as command", {"hooks.command": ["/usr"]}, "hooks.command", "cannot be run", "may run it"),
    ("a command that is not there", {"hooks.command": ["/no/such"]}, "hooks.command", "cannot be run", "Check the path"),
    ("a command as text", {"hooks.command": "/bin/true"}, "hooks.command", "is not valid", "It must be a list"),
    ("an unknown event", {"hooks.events": ["parkd"]}, "hooks.events.0", "'parkd' is not valid", "'parked'"),
    ("no time between", {"hooks.every": "0s"}, "hooks.every", "shorter than a second", '"1s"'),
    ("no time to be down", {"hooks.side_down": "10ms"}, "hooks.side_down", "shorter than a second", '"1s"'),
    ("no time to answer", {"hooks.timeout": "0s"}, "hooks.timeout", "shorter than a second", '"1s"'),
    ("unencrypted", {"hooks.webhook.url": "http://a.example/x"}, "hooks.webhook.url", "unencrypted", 'allow_http = "a.example"'),
    ("no address", {"hooks.dead_man.url": "ping.example.com/x"}, "hooks.dead_man.url", "not a web address", "https://"),
    ("a user", {"hooks.webhook.url": "https://me:pw@a.example/"}, "hooks.webhook.url", "not a web address", "https://"),
    (
        "a password as host",
        {"hooks.webhook.url": "https://{password}/", "hooks.webhook.password_env": "EXTERNAL_PASSWORD"},
        "hooks.webhook.url",
        "not a web address",
        "https://",
    ),
    (
        "a password in the file",
        {"hooks.webhook.url": "https://a.example/", "hooks.webhook.token": "x"},
        "hooks.webhook.token",
        "does not belong in this file",
        "password_file",
    ),
    (
        "no password for its place",
        {"hooks.dead_man.url": "https://a.example/{password}"},
        "hooks.dead_man.password_file",
        "missing",
        "password_env",
    ),
    (
        "a password for nothing",
        {"hooks.webhook.password_env": "EXTERNAL_PASSWORD"},
        "hooks.webhook.url",
        "missing",
        "remove password_env",
    ),
    (
        "an alert's address in the file",
        {"hooks.alerts.chat": {"url": "slack://a/b/c", "password_env": "EXTERNAL_PASSWORD"}},
        "hooks.alerts.chat.url",
        "an alert's address is a secret",
        "password_file",
    ),
    ("an alert without an address", {"hooks.alerts.chat": {}}, "hooks.alerts.chat.password_file", "missing", "password_env"),
    ("certificates for nothing", {"hooks.webhook.ca_file": AUTHORITY}, "hooks.webhook.url", "missing", "remove ca_file"),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_each_fault_is_told_with_its_remedy(tmp_path: Path, case: Case) -> None:
    check_fault(tmp_path, case)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    changes: Changes = {
        "metrics.listen": "0.0.0.0:9464",
        "metrics.textfile": "x.txt",
        "hooks.command": ["mail"],
        "hooks.every": "0s",
        "hooks.webhook.url": "nowhere",
        "hooks.dead_man.url": "http://a.example",
    }
    assert set(faults(tmp_path, changes)) == set(changes)


def test_a_wrong_address_that_may_hold_a_secret_is_not_quoted(tmp_path: Path) -> None:
    found = faults(tmp_path, {"hooks.webhook.url": "hooks.example.com/s3cret", "external.url": "https://me:pw-s3cret@x.example"})
    assert "s3cret" not in str(found)


def test_an_alert_without_apprise_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopsync.watch.settings.find_spec", lambda _: None)
    alert = {"password_env": "EXTERNAL_PASSWORD"}
    found = faults(tmp_path, {"hooks.alerts": {"chat": alert, "mail": alert}, "hooks.every": "0s"})
    assert found.keys() == {"hooks.alerts.chat", "hooks.alerts.mail", "hooks.every"}
    assert found["hooks.alerts.chat"].remedy == "Install itopsync[alerts]."


def test_an_address_of_an_alert_is_shown_nowhere(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"hooks.alerts.chat.password_env": "HOOK"}, HOOKED).hooks
    assert loaded.alerts["chat"].secret.reveal() == "s3cret/a b"
    assert "s3cret" not in repr(loaded)


def test_off_is_the_default(tmp_path: Path) -> None:
    loaded = load(tmp_path, {})
    assert (loaded.metrics.host, loaded.metrics.textfile) == (None, None)
    assert (loaded.hooks.command, loaded.hooks.webhook, loaded.hooks.alerts, loaded.hooks.dead_man) == ((), None, {}, None)
    assert loaded.hooks.events == tuple(Need)


@pytest.mark.parametrize(
    ("listen", "more", "expected"),
    [
        ("127.0.0.1:9464", {}, ("127.0.0.1", 9464)),
        ("localhost:1", {}, ("localhost", 1)),
        ("[::1]:65535", {}, ("::1", 65535)),
        ("0.0.0.0:9464", {"metrics.allow_remote": "0.0.0.0"}, ("0.0.0.0", 9464)),
        ("[::]:9464", {"metrics.allow_remote": "::"}, ("::", 9464)),
    ],
)
def test_where_to_listen(tmp_path: Path, listen: str, more: Changes, expected: tuple[str, int]) -> None:
    loaded = load(tmp_path, {"metrics.listen": listen, **more})
    assert (loaded.metrics.host, loaded.metrics.port) == expected


@pytest.mark.parametrize(("poll", "minutes"), [("15s", 5), ("100s", 5), ("3m", 9), ("10m", 30)])
def test_the_age_of_the_last_good_cycle_follows_how_often_they_come(tmp_path: Path, poll: str, minutes: int) -> None:
    assert load(tmp_path, {"schedule.poll": poll}).metrics.max_age == timedelta(minutes=minutes)


def test_a_password_goes_into_its_place_in_the_address(tmp_path: Path) -> None:
    changes = {"hooks.webhook.url": "https://a.example/{password}?x=1", "hooks.webhook.password_env": "HOOK"}
    webhook = load(tmp_path, changes, HOOKED).hooks.webhook
    assert webhook is not None
    assert webhook.address.reveal() == "https://a.example/s3cret/a%20b?x=1"
    assert webhook.token is None
    assert "s3cret" not in repr(webhook)


def test_a_password_without_a_place_is_a_token(tmp_path: Path) -> None:
    changes = {"hooks.webhook.url": "http://127.0.0.1:8080/x", "hooks.webhook.password_env": "HOOK"}
    webhook = load(tmp_path, changes, HOOKED).hooks.webhook
    assert webhook is not None
    assert webhook.token is not None
    assert webhook.token.reveal() == "s3cret/a b"
    assert "s3cret" not in repr(webhook)
