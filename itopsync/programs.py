"""Starts other programs, without a shell and each in its own session, which no signal from the terminal reaches."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import IO


def start(
    command: Sequence[str],
    *,
    stdin: int,
    stdout: int | IO[bytes],
    stderr: int | None = None,
    folder: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start *command* in *folder* with *environment*; both default to ours.

    :raises OSError: it cannot be run
    :raises ValueError: it cannot be a command
    """
    return subprocess.Popen(  # noqa: S603 - the operator's own configuration names it, or it is itopsync; no shell reads it
        command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder, env=environment, start_new_session=True
    )
