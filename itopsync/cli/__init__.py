"""The commands that operators type. Start at :mod:`itopsync.cli.app`."""

import gc

_OBJECTS = 50_000
"""So many new objects, instead of 700, are made before Python looks for cycles among them: of what is loaded nothing is garbage.
That takes some 3 % off the start-up."""


def main() -> None:
    """Run the command line: ``itopsync`` and ``python -m itopsync``."""
    gc.set_threshold(_OBJECTS)
    from itopsync.cli.app import main as run

    run()
