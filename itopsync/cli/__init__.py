"""The commands that operators type. Start at :mod:`itopsync.cli.app`."""


def main() -> None:
    """Run the command line: ``itopsync`` and ``python -m itopsync``."""
    from itopsync.cli.app import main as run

    run()
