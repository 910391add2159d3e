"""The command line with settings of the engine that no ``sync.toml`` gives: ``python tests/tuned.py '{"pause": 1}' run-once``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from itopsync import cli, config
from itopsync.config import Configuration

PROGRAM = (sys.executable, __file__)
"""What such a process is started with; then come the settings, as :func:`told` writes them, and the command."""


def told(**settings: float) -> str:
    """Settings by name; spans of time in seconds."""
    return json.dumps(settings)


def main(settings: dict[str, Any]) -> None:
    """Run what the command line says."""
    plain = config.load

    def load(*arguments: Any, **more: Any) -> Configuration:
        loaded = plain(*arguments, **more)
        spans = {name for name in settings if isinstance(getattr(loaded.engine, name), timedelta)}
        tuned: dict[str, Any] = {name: timedelta(seconds=value) if name in spans else value for name, value in settings.items()}
        return replace(loaded, engine=replace(loaded.engine, **tuned))

    with patch.object(config, "load", load):
        cli.main()


if __name__ == "__main__":
    main(json.loads(sys.argv.pop(1)))
