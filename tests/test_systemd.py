"""The units: they run what there is, within narrow bounds; systemd itself is asked in addition, where it is there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from itopsync.cli.app import app
from itopsync.daemon import supervisor
from itopsync.itop.settings import ServerSettings
from itopsync.model import Side
from itopsync.settings.secrets import Secret
from tests.commands import command_names

ROOT = Path(__file__).parents[1]
SYSTEMD = ROOT / "systemd"
SERVICES = ("itopsync.service", "itopsync@.service", "itopsync-run-once.service")
ALL = "itopsync-all.service"
LOOPS = (*SERVICES[:2], ALL)
WEB = "itopsync-web.service"
OFFLINE = 250
"""The first systemd that judges a unit without running it."""
EXPOSURE = 1.5
"""What ``systemd-analyze security`` may rate a service at, of 10."""
BOUNDS = """\
CapabilityBoundingSet=
DevicePolicy=closed
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077
User=itopsync
"""
"""What makes that rating; ``systemd-analyze security`` of systemd 252 gives 1.2 for it."""
SECONDS = {"s": 1, "min": 60}


def settings(unit: str) -> list[str]:
    """The lines of a unit that set something."""
    lines = (SYSTEMD / unit).read_text().splitlines()
    return [line for line in lines if "=" in line and not line.startswith("#")]


def setting(unit: str, name: str) -> str:
    (value,) = [line.partition("=")[2] for line in settings(unit) if line.startswith(f"{name}=")]
    return value


def seconds(span: str) -> float:
    found = re.fullmatch(r"(\d+)(s|min)", span)
    assert found is not None, span
    return float(found[1]) * SECONDS[found[2]]


def test_these_are_all_the_units() -> None:
    assert {path.name for path in SYSTEMD.glob("*.service")} == {*SERVICES, ALL, WEB}
    assert [path.name for path in SYSTEMD.glob("*.timer")] == ["itopsync-run-once.timer"]


@pytest.mark.parametrize("unit", SERVICES)
def test_a_unit_runs_a_command_that_there_is_with_the_passwords_as_credentials(unit: str) -> None:
    program, *arguments = shlex.split(setting(unit, "ExecStart"))
    assert Path(program).name == "itopsync"
    assert arguments[-1] in command_names(app)
    place = Path(arguments[arguments.index("--config") + 1]).parent
    credentials = [line for line in settings(unit) if line.startswith("LoadCredential=")]
    assert credentials == [f"LoadCredential={side}:{place}/credentials/{side}" for side in ("external", "internal")]


@pytest.mark.parametrize("unit", [*SERVICES, ALL, WEB])
def test_every_service_is_kept_in_narrow_bounds(unit: str) -> None:
    assert set(BOUNDS.splitlines()) <= set(settings(unit))
    looks_at_proc = not {"ProtectProc", "ProcSubset"} & {line.partition("=")[0] for line in settings(unit)}
    assert looks_at_proc == (unit != WEB), "the lease looks at /proc, and the console has none"


def test_the_unit_of_all_pairs_has_their_folder_and_their_passwords() -> None:
    program, command, folder = shlex.split(setting(ALL, "ExecStart"))
    assert Path(program).name == "itopsync"
    assert command in command_names(app)
    assert [line for line in settings(ALL) if "redential" in line] == [f"LoadCredential={supervisor.LOADED}:{folder}"]


def test_the_console_is_given_no_password_of_an_itop() -> None:
    program, command, file = shlex.split(setting(WEB, "ExecStart"))
    assert (Path(program).name, command, file) == ("itopsync", "web", "/etc/itopsync/web.toml")
    assert command in command_names(app)
    assert [line for line in settings(WEB) if "redential" in line] == []
    assert setting(WEB, "RestartPreventExitStatus") == "2 3"


@pytest.mark.parametrize("unit", LOOPS)
def test_systemd_knows_how_the_loop_is(unit: str) -> None:
    assert setting(unit, "Type") == "notify"
    assert setting(unit, "ExecReload") == "/bin/kill -HUP $MAINPID"
    usual = ServerSettings(side=Side.EXTERNAL, password=Secret(""))
    assert seconds(setting(unit, "WatchdogSec")) > usual.longest_call
    assert setting(unit, "Restart") == "on-failure"
    assert setting(unit, "RestartPreventExitStatus") == "2 3"


def test_the_services_differ_in_nothing_else() -> None:
    def common(unit: str) -> list[str]:
        text = (SYSTEMD / unit).read_text().replace("/etc/itopsync/%i", "/etc/itopsync").replace("itopsync/%i", "itopsync")
        return text.partition("[Unit]\n")[2].replace("in step: %i", "in step").splitlines()

    assert common(LOOPS[0]) == common(LOOPS[1])


@pytest.mark.parametrize(("word", "place"), [("status", "itopsync"), ("@acme", "itopsync/%i")])
@pytest.mark.parametrize("account", ["", "bridge"])
def test_a_single_command_runs_with_what_the_service_has(word: str, place: str, account: str, tmp_path: Path) -> None:
    """The script is run, with a ``systemd-run`` that prints what it is asked for, and one password more than the unit's own."""
    for name, prints in (("systemd-run", '"$@"'), ("systemctl", f'"{account}"')):
        (tmp_path / name).write_text(f'#!/bin/sh\nprintf "%s\\n" {prints}\n')
        (tmp_path / name).chmod(0o755)
    folder = tmp_path / place.replace("%i", "acme") / "credentials"
    folder.mkdir(parents=True)
    for name in ("external", "internal", "webhook"):
        (folder / name).write_text("secret")
    script = tmp_path / "itopsync.sh"
    script.write_text((SYSTEMD / "itopsync.sh").read_text().replace("/etc/$place", f"{tmp_path}/$place"))
    words = [word] if word == "status" else [word, "status"]
    run = ["/bin/sh", str(script), *words]
    done = subprocess.run(run, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    lines = [line.replace(str(tmp_path), "/etc").replace("/acme", "/%i") for line in done.stdout.splitlines()]
    unit = LOOPS[0] if place == "itopsync" else LOOPS[1]
    properties = {line.removeprefix("--property=") for line in lines if line.startswith("--property=")}
    more = {f"LoadCredential=webhook:/etc/{place}/credentials/webhook", *([f"User={account}"] if account else [])}
    assert properties - set(settings(unit)) == more
    assert {line.partition("=")[0] for line in properties} >= {"User", "LoadCredential", "StateDirectory", "UMask"}
    assert {line for line in settings(unit) if line.startswith("LoadCredential=")} <= properties
    assert lines[-4:] == ["/opt/itopsync/bin/itopsync", "--config", f"/etc/{place}/sync.toml", "status"]


# systemd itself


@pytest.fixture
def analyze(record_property: Callable[[str, object], None]) -> str | None:
    """systemd's own judge; the summary says whether it was asked."""
    tool = shutil.which("systemd-analyze")
    if tool and int(subprocess.check_output([tool, "--version"], text=True).split()[1]) < OFFLINE:
        tool = None
    said = (
        f"{tool} was asked of every unit"
        if tool
        else f"not asked: no systemd-analyze {OFFLINE} or newer here; the units' own lines were checked"
    )
    record_property("systemd", said)
    return tool


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with a program that is here in place of the one that is there once it is installed."""
    for path in sorted(SYSTEMD.glob("itopsync*.*")):
        if path.suffix in {".service", ".timer"}:
            (tmp_path / path.name).write_text(path.read_text().replace("/opt/itopsync/bin/itopsync", sys.executable))
    return sorted(tmp_path.iterdir())


def test_systemd_finds_nothing_wrong_with_them(units: list[Path], analyze: str | None) -> None:
    assert len(units) == len(SERVICES) + 3
    if analyze:
        done = subprocess.run([analyze, "verify", *map(str, units)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", [*SERVICES, ALL, WEB])
def test_systemd_rates_them_as_little_exposed(unit: str, units: list[Path], analyze: str | None) -> None:
    (path,) = [path for path in units if path.name == unit]
    assert set(BOUNDS.splitlines()) <= set(path.read_text().splitlines())
    if analyze:
        judge = [analyze, "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", "--no-pager", str(path)]
        done = subprocess.run(judge, capture_output=True, text=True, check=False)
        rated = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)
        assert rated, done.stderr
        assert float(rated[1]) <= EXPOSURE
        assert done.returncode == 0
