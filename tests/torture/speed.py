"""The daemon with a day's polls in minutes: as the command ``run`` has it, but with a tenth of a second from one to the next."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from itopsync import config, daemon, logs
from itopsync.cli.session import WatchedEngines, open_store
from itopsync.cli.verifying import found
from itopsync.config import Configuration, Schedule

POLL = timedelta(seconds=0.02)


class Steady(Schedule):
    """Never slower, in quiet hours neither."""

    @property
    def slowest(self) -> timedelta:
        return POLL


def run(file: Path) -> None:
    """Run until SIGTERM. No configuration may ask for so short a time, so it is put in here."""
    logs.configure("error")

    def load() -> Configuration:
        configuration = config.load(file, os.environ)
        return replace(configuration, schedule=Steady(poll=POLL))

    engines, configuration = WatchedEngines(), load()
    with open_store(configuration) as store:
        daemon.run(configuration, store, load=load, working=engines.working, verify=found, listeners=[engines.hear])
