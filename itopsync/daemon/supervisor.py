"""``itopsync run-all``: several pairs, each in its own process, which shares the program's memory with the others.

Separate processes keep pairs independent: one that fails or hangs does not hold up the others. Forked from a process that has
loaded the program, each takes far less memory than it would alone.

To the pairs, the supervisor acts as systemd: it receives their notifications, restarts those that fail or stop notifying, and
passes on SIGTERM and SIGHUP.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import structlog

from itopsync import logs
from itopsync.daemon.signals import Signals
from itopsync.daemon.systemd import Systemd
from itopsync.errors import ConfigurationError, Fault
from itopsync.exits import ExitCode, told

log = structlog.get_logger(__name__)

FILE = "sync.toml"
CREDENTIALS = "credentials"
"""The folder of a pair's passwords, beside its configuration."""
LOADED = "pairs"
"""The name under which the unit loads all files in the pairs' folder as credentials."""
RESTART_PAUSE = 15.0
"""Seconds until a pair that failed is restarted, as in the unit of a single pair."""
KILL_AFTER = 10.0
"""Seconds that a hanging pair gets to log where it hangs."""
STOP_WITHIN = 80.0
"""Seconds that all pairs get to end once told to; less than the unit's TimeoutStopSec."""
LONGEST_WAIT = 1.0
_AT_FAULT = (ExitCode.USAGE, ExitCode.CONFIGURATION)
"""Exit codes of what only a changed configuration can fix, not a restart."""

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Main = Callable[[Path], None]
"""Keeps the pair of this configuration in step until stopped, in its own process; exits with an :class:`ExitCode`."""


def run_all(folder: Path, main: Main) -> ExitCode:
    """Run the pair of every ``<name>/sync.toml`` in *folder* until SIGTERM or SIGINT. On SIGHUP, look at the folder again.

    :raises ConfigurationError: there is none
    """
    with (
        Signals(reload=True) as signals,
        TemporaryDirectory(prefix="itopsync-") as place,
        _Supervisor(folder, main, signals, Path(place)) as supervisor,
    ):
        return supervisor.run()


@dataclass
class _Pair:
    """One pair and its process, if it has one now."""

    file: Path
    place: Path
    """Its own folder, for its socket and its credentials."""
    notifications: socket.socket
    process: ForkProcess | None = None
    status: str = ""
    """Why it has no process."""
    heard: float = 0.0
    """When it last notified; monotonic, in seconds."""
    due: float | None = 0.0
    """When to start it; None while it runs, or is at rest until its configuration changes."""
    aborted: float | None = None
    """When it was found to hang."""
    settled: bool = False
    """Whether its first start has succeeded or failed."""

    @property
    def name(self) -> str:
        return self.file.parent.name


class _Supervisor:
    def __init__(self, folder: Path, main: Main, signals: Signals, place: Path) -> None:
        self._folder, self._main, self._signals, self._place = folder, main, signals, place
        self._systemd = Systemd(os.environ, os.getpid())
        self._pairs: dict[str, _Pair] = {}
        self._ready, self._said = False, ""

    def __enter__(self) -> _Supervisor:
        return self

    def __exit__(self, *_error: object) -> None:
        """Leave no process behind, not even one that hangs."""
        for pair in self._pairs.values():
            _signal(pair, signal.SIGTERM)
        deadline = monotonic() + STOP_WITHIN
        for pair in self._pairs.values():
            if pair.process is not None:
                pair.process.join(max(0.0, deadline - monotonic()))
                _signal(pair, signal.SIGKILL)
                pair.process.join()
            pair.notifications.close()

    def run(self) -> ExitCode:
        self._look_for_pairs()
        if not self._pairs:
            remedy = f"Create one with `itopsync init {self._folder}/NAME/{FILE}`"
            raise ConfigurationError([Fault(str(self._folder), f"no pair here: there is no folder with a {FILE}", remedy)])
        gc.collect()
        gc.freeze()  # a garbage collection would write to the pages that the processes share
        while self._signals.stop is None:
            if self._signals.reload:
                self._reload()
            self._listen()
            self._look_after()
            self._report()
            if all(pair.process is None and pair.due is None for pair in self._pairs.values()):
                return ExitCode.CONFIGURATION
        self._systemd.stopping()
        return ExitCode.WELL

    # which pairs there are

    def _look_for_pairs(self) -> None:
        found = {file.parent.name: file for file in sorted(self._folder.glob(f"*/{FILE}"))}
        for name, file in found.items():
            if name not in self._pairs:
                self._pairs[name] = _pair(file, self._place / str(len(os.listdir(self._place))))
        for name in self._pairs.keys() - found.keys():
            if self._pairs[name].process is None:
                self._remove(self._pairs[name])
            else:
                _signal(self._pairs[name], signal.SIGTERM)

    def _remove(self, pair: _Pair) -> None:
        log.info("pair removed", config=str(pair.file))
        pair.notifications.close()
        del self._pairs[pair.name]

    def _reload(self) -> None:
        self._signals.reload = False
        for pair in self._pairs.values():
            _signal(pair, signal.SIGHUP)
            if pair.process is None:
                pair.due = 0.0
        self._look_for_pairs()

    # their processes

    def _listen(self) -> None:
        """Wait briefly for a pair to notify or end, and record the notifications."""
        sockets = {pair.notifications: pair for pair in self._pairs.values()}
        ends = [pair.process.sentinel for pair in self._pairs.values() if pair.process is not None]
        for ready in connection.wait([*sockets, *ends], LONGEST_WAIT):
            if isinstance(ready, socket.socket):
                _hear(sockets[ready])

    def _look_after(self) -> None:
        self._systemd.alive()
        now = monotonic()
        for pair in list(self._pairs.values()):
            if pair.process is not None and pair.process.exitcode is not None:
                self._ended(pair, pair.process.exitcode, now)
            elif pair.process is not None:
                self._check_alive(pair, now)
            elif pair.due is not None and pair.due <= now:
                self._start(pair, now)

    def _start(self, pair: _Pair, now: float) -> None:
        pair.due, pair.aborted, pair.heard = None, None, now
        heard = [each.notifications for each in self._pairs.values()]
        above = _Above(os.getpid(), heard)
        pair.process = get_context("fork").Process(target=_run, args=(self._main, pair.file, self._environment(pair), above))
        # hold back signals to the child until it has shed our handlers
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            pair.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _environment(self, pair: _Pair) -> Mapping[str, str]:
        told = {"NOTIFY_SOCKET": str(pair.notifications.getsockname())}
        if self._systemd.watchdog:
            told["WATCHDOG_USEC"] = str(int(self._systemd.watchdog * 1_000_000))
        loaded = os.environ.get("CREDENTIALS_DIRECTORY")
        if loaded is not None:
            told["CREDENTIALS_DIRECTORY"] = str(own_credentials(Path(loaded), pair.name, pair.place))
        return told

    def _check_alive(self, pair: _Pair, now: float) -> None:
        if pair.aborted is not None:
            if now - pair.aborted > KILL_AFTER:
                _signal(pair, signal.SIGKILL)
        elif self._systemd.watchdog and now - pair.heard > self._systemd.watchdog:
            log.error("pair hangs", config=str(pair.file), seconds=round(now - pair.heard))
            pair.aborted = now
            _signal(pair, signal.SIGABRT)

    def _ended(self, pair: _Pair, code: int, now: float) -> None:
        pair.process, pair.settled = None, True
        if not pair.file.exists():
            self._remove(pair)
        elif code in _AT_FAULT:
            pair.status = "its configuration is at fault: mend it, then reload"
            log.error("pair at rest", config=str(pair.file))
        else:
            pair.status, pair.due = f"ended with {_how(code)}, starts again soon", now + RESTART_PAUSE
            log.error("pair ended", config=str(pair.file), reason=_how(code))

    # what systemd is told

    def _report(self) -> None:
        if not self._ready and not all(pair.settled for pair in self._pairs.values()):
            return
        running = sum(pair.process is not None and pair.settled for pair in self._pairs.values())
        resting = [f"{pair.name}: {pair.status}" for pair in self._pairs.values() if pair.process is None]
        words = "; ".join([f"{running} of {len(self._pairs)} pairs run", *resting])
        if not self._ready:
            self._systemd.ready(words)
        elif words != self._said:
            self._systemd.status(words)
        self._ready, self._said = True, words


def _pair(file: Path, place: Path) -> _Pair:
    place.mkdir(mode=0o700)
    notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    notifications.bind(str(place / "notify"))
    return _Pair(file, place, notifications)


def _hear(pair: _Pair) -> None:
    for said in _received(pair.notifications):
        pair.heard = monotonic()
        pair.settled = pair.settled or b"READY=1" in said.split(b"\n")


def _received(notifications: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield notifications.recv(65_536)
        except BlockingIOError:
            return


def own_credentials(loaded: Path, name: str, place: Path) -> Path:
    """A folder in *place* with one pair's credentials under their own names, out of those that systemd *loaded* for all."""
    own = place / CREDENTIALS
    own.mkdir(mode=0o700, exist_ok=True)
    for file in own.iterdir():
        file.unlink()
    prefix = f"{LOADED}_{name}_{CREDENTIALS}_"
    for file in loaded.glob(f"{prefix}*"):
        (own / file.name.removeprefix(prefix)).symlink_to(file)
    return own


def _signal(pair: _Pair, number: signal.Signals) -> None:
    if pair.process is not None and pair.process.pid is not None and pair.process.exitcode is None:
        os.kill(pair.process.pid, number)


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else told(code)


@dataclass(frozen=True)
class _Above:
    """What a pair's process inherits from the supervisor."""

    number: int
    """The supervisor's process id."""
    sockets: list[socket.socket]
    """Its listening sockets. The child must close them: an unread copy would fill up and block every sender."""


def _run(main: Main, file: Path, environment: Mapping[str, str], above: _Above) -> None:
    """Run as the process of one pair."""
    for each in above.sockets:
        each.close()
    threading.Thread(target=_end_after, args=(above.number,), daemon=True).start()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the configuration has not been read yet
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    for name in ("WATCHDOG_PID", "WATCHDOG_USEC"):
        os.environ.pop(name, None)
    os.environ.update(environment)
    logs.always(config=str(file))
    main(file)


def _end_after(supervisor: int) -> None:
    """Stop this pair when the supervisor is gone, so that the next one finds its lease free."""
    while os.getppid() == supervisor:
        sleep(LONGEST_WAIT)
    log.error("supervisor gone")
    os.kill(os.getpid(), signal.SIGTERM)
