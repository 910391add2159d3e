"""Sessions and sign-in attempts. Kept in memory: a restart signs everybody out."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

MOST = 1_000
"""How many sessions may exist at once; beyond that, the one idle longest ends."""


@dataclass
class Session:
    """A signed-in user."""

    name: str
    proof: str
    """The hash of the password with which it began; a new password ends it."""
    began: float
    seen: float


class Sessions:
    """All sessions, by the digest of the browser's token. Thread-safe."""

    def __init__(self, idle: timedelta, longest: timedelta, clock: Callable[[], float]) -> None:
        """*clock* counts seconds, and is monotonic."""
        self._idle, self._longest, self._clock = idle.total_seconds(), longest.total_seconds(), clock
        self._all: dict[str, Session] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, proof: str) -> str:
        """Start a session; return the browser's token."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            if len(self._all) >= MOST:
                del self._all[min(self._all, key=lambda key: self._all[key].seen)]
            self._all[_key(token)] = Session(name, proof, now, now)
        return token

    def find(self, token: str, *, by_person: bool) -> Session | None:
        """The session of a token, unless it has ended. *by_person*: a person did something, which keeps it alive."""
        now = self._clock()
        with self._lock:
            found = self._all.get(_key(token))
            if found is None:
                return None
            if now - found.seen >= self._idle or now - found.began >= self._longest:
                del self._all[_key(token)]
                return None
            if by_person:
                found.seen = now
            return found

    def end(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._all.pop(_key(token), None)


def _key(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Attempts:
    """Recent attempts, counted per key, such as a name or an address."""

    def __init__(self, most: int, within: float, clock: Callable[[], float]) -> None:
        """Allow *most* attempts in *within* seconds."""
        self._most, self._within, self._clock = most, within, clock
        self._tries: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, who: str) -> bool:
        """Count an attempt; False if there were too many."""
        now = self._clock()
        with self._lock:
            for other in [key for key, tries in self._tries.items() if now - tries[-1] > self._within]:
                del self._tries[other]
            tries = self._tries.setdefault(who, deque(maxlen=self._most))
            if len(tries) == self._most and now - tries[0] <= self._within:
                return False
            tries.append(now)
            return True

    def take_back(self, who: str) -> None:
        """Do not count the latest attempt: it was not a guess."""
        with self._lock:
            tries = self._tries.get(who)
            if tries:
                tries.pop()
            if not tries:
                self._tries.pop(who, None)

    def forget(self, who: str) -> None:
        """Forget the attempts of somebody who has signed in."""
        with self._lock:
            self._tries.pop(who, None)
