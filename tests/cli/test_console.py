"""The console as a process: where it listens, how it ends, its accounts, and what it says without its extra."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from itopsync.exits import ExitCode
from itopsync.web.accounts import Accounts
from tests.cli import forked
from tests.cli.conftest import Desk

ACCOUNTS = 'pairs = ["sync.toml"]\n[accounts]\nfile = "accounts"\n'
PASSWORD = "correct horse battery"


def run(desk: Desk, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """A command that reads what is typed."""
    return forked.run(list(arguments), desk.folder, os.environ, 120, typed)


@contextmanager
def running(desk: Desk, *arguments: str, until: Path | int) -> Iterator[subprocess.Popen[str]]:
    """The console, once it listens; without any password in its environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PASSWORD"}
    command = [sys.executable, "-m", "itopsync", *arguments]
    with subprocess.Popen(command, cwd=desk.folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait(until)
            yield process
        finally:
            process.kill()


def _wait(until: Path | int) -> None:
    end = monotonic() + 120
    while True:
        try:
            if isinstance(until, Path):
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(until))
            else:
                socket.create_connection(("127.0.0.1", until), 1).close()
        except OSError:
            assert monotonic() < end, "it does not listen"
            sleep(0.05)
        else:
            return


def get(place: Path | int, path: str, host: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", place if isinstance(place, int) else 1, timeout=10)
    with closing(connection):
        if isinstance(place, Path):
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(place))
        connection.request("GET", path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        port: int = made.getsockname()[1]
        return port


def test_the_socket_is_for_its_owner_and_the_group(desk: Desk) -> None:
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    place = desk.folder / "web.sock"
    text = f'pairs = ["sync.toml"]\nlisten = "unix:{place}"\norigin = "https://bridge.example.com"\n[proxy]\npeers = ["unix"]\n'
    (desk.folder / "web.toml").write_text(text)
    with running(desk, "web", "web.toml", until=place) as process:
        assert stat.S_IMODE(place.stat().st_mode) == 0o660
        status, page = get(place, "/", "bridge.example.com", **{"X-Auth-Request-Email": "anna"})
        assert (status, "anna" in page, "demo" in page) == (200, True, True)
        assert get(place, "/", "bridge.example.com")[0] == 403
        assert process.stderr is not None
        for roles, event, status in (
            ('viewers = ["otto"]', "configuration taken over", 403),
            ("viewers = 1", "the old configuration goes on", 403),
            ("", "configuration taken over", 200),
        ):
            (desk.folder / "web.toml").write_text(f"{text}[roles]\n{roles}\n")
            process.send_signal(signal.SIGHUP)
            assert any(event in line for line in process.stderr)
            assert get(place, "/", "bridge.example.com", **{"X-Auth-Request-Email": "anna"})[0] == status
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
    assert not place.exists()


@pytest.mark.usefixtures("no_store")
def test_a_pair_is_shown_before_its_first_cycle_too(desk: Desk) -> None:
    port = free_port()
    (desk.folder / "web.toml").write_text(f'pairs = ["sync.toml"]\nlisten = "127.0.0.1:{port}"\n')
    with running(desk, "web", "web.toml", until=port) as process:
        status, page = get(port, "/", f"localhost:{port}")
        assert (status, "there is no store yet" in page) == (200, True)
        assert desk.itopsync("run-once").returncode == ExitCode.WELL
        assert "there is no store yet" not in get(port, "/", f"localhost:{port}")[1]
        taken = run(desk, "web", "web.toml")
        assert taken.returncode == ExitCode.CONFIGURATION
        assert f"127.0.0.1:{port} cannot be listened on" in taken.stderr
        process.send_signal(signal.SIGINT)
        process.wait(20)


def test_an_account_is_given_another_password_and_removed(desk: Desk) -> None:
    (desk.folder / "web.toml").write_text(ACCOUNTS)
    accounts = Accounts(desk.folder / "accounts")
    for password in (PASSWORD, "another password"):
        done = run(desk, "web-user", "web.toml", "anna", typed=f"{password}\n")
        assert (done.returncode, done.stdout) == (ExitCode.WELL, "anna may sign in.\n")
        assert accounts.check("anna", password)
        assert "anna:$argon2id$v=19$m=65536,t=3,p=4$" in (desk.folder / "accounts").read_text()
    assert accounts.check("anna", PASSWORD) is None
    assert run(desk, "web-user", "web.toml", "anna", "--remove").stdout == "anna is removed.\n"
    assert accounts.all() == {}


@pytest.mark.parametrize(
    ("arguments", "typed", "told"),
    [
        (["anna"], "short\n", "a password has 12 to 200 characters"),
        (["anna"], "", "a password has 12 to 200 characters"),
        (["an:na"], f"{PASSWORD}\n", "a name is made of letters, digits"),
        (["anna", "--remove"], "", "there is no account anna"),
    ],
)
def test_what_is_no_account_is_refused(desk: Desk, arguments: list[str], typed: str, told: str) -> None:
    (desk.folder / "web.toml").write_text(ACCOUNTS)
    done = run(desk, "web-user", "web.toml", *arguments, typed=typed)
    assert (done.returncode, told in " ".join(done.stderr.replace("│", " ").split())) == (ExitCode.USAGE, True)
    assert not (desk.folder / "accounts").exists()


def test_without_its_extra_it_says_what_to_install_and_all_else_works(desk: Desk) -> None:
    without = "import sys; sys.modules['starlette'] = sys.modules['argon2'] = None; from itopsync.cli import main; main()"
    for arguments, missing in ((["web"], "starlette"), (["web-user", "web.toml", "anna"], "argon2")):
        (desk.folder / "web.toml").write_text(ACCOUNTS)
        command = [sys.executable, "-c", without, *arguments]
        done = subprocess.run(command, cwd=desk.folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == ExitCode.CONFIGURATION
        remedy = "Install it with its extra: pip install 'itopsync[web]'."
        assert f"it needs {missing}, which is not installed. {remedy}" in done.stderr
    done = subprocess.run([sys.executable, "-c", without, "--version"], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith("itopsync ")
