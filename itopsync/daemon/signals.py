"""Signals to stop, or to reload the configuration."""

from __future__ import annotations

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Self

_STOP = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """A context in which signals are recorded instead of ending the process. For the main thread.

    *reload*, for the daemon, also records SIGHUP, and treats SIGINT like SIGTERM.
    """

    def __init__(self, *, reload: bool = False) -> None:
        self.stop: signal.Signals | None = None
        """The signal that told us to stop, if any."""
        self.reload = False
        """Whether we were told to reload the configuration; reset by the code that does so."""
        self._numbers = (*_STOP, signal.SIGHUP) if reload else (signal.SIGTERM,)
        # A handler may run in the middle of any wait, so it only sets an attribute and takes no lock.
        self._awake, self._waker = socket.socketpair()

    def __enter__(self) -> Self:
        self._awake.setblocking(False)
        self._waker.setblocking(False)
        self._before_fd = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._note) for number in self._numbers}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before_fd)
        self._awake.close()
        self._waker.close()

    @property
    def told(self) -> bool:
        """Whether a signal still has to be acted on."""
        return self.reload or self.stop is not None

    def wait(self, seconds: float) -> None:
        """Wait until *seconds* have passed or a signal arrives."""
        if not self.told and select.select([self._awake], [], [], max(0.0, seconds))[0]:
            self._awake.recv(4096)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        else:
            self.stop = signal.Signals(number)
