"""Starts other programs: each without a shell, and in a session of its own, which no signal of the terminal reaches."""

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
    """Start *command*, in *folder* and with *environment*, or with ours.

    :raises OSError: it cannot be run
    :raises ValueError: it cannot be a command
    """
    return subprocess.Popen(  # noqa: S603 - the operator's own configuration names it, or it is itopsync; no shell reads it
        command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder, env=environment, start_new_session=True
    )
