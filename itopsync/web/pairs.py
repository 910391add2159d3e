"""The pairs shown, each with its store, which is opened on first use."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from itopsync import config
from itopsync.config.faults import Faults
from itopsync.config.schema import StoreSection
from itopsync.engine.store_guard import refuse_other_pair
from itopsync.errors import ConfigurationError, Fault
from itopsync.model import Ref, Side
from itopsync.reconcile.rules import Rules
from itopsync.store.connection import Address
from itopsync.store.store import Store
from itopsync.web.settings import StoreRole, WebSettings


@dataclass(eq=False)
class Watched:
    """A pair as the console knows it, without iTop passwords."""

    rules: Rules
    store_url: str = field(repr=False)
    most_lag: timedelta
    """How old the last good poll may be."""
    _store: Store | None = field(default=None, repr=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def name(self) -> str:
        return self.rules.pair

    def store(self) -> Store:
        """Its store, for reading and for making requests; reopened if it has been restored meanwhile.

        :raises StoreError: there is none, it is another pair's, or it does not answer
        """
        with self._opening:
            if self._store is not None and self._store.database.is_moved:
                self._store.close()
                self._store = None
            if self._store is None:
                opened = Store.look_at(self.store_url)
                try:
                    refuse_other_pair(opened, self.rules)
                except BaseException:
                    opened.close()
                    raise
                self._store = opened
            else:
                self._store.check_revision()
            return self._store.keeping(self.rules.kept)

    def label(self, side: Side) -> str:
        """The name that people use for a side."""
        return self.rules.of(side).label

    def address(self, ref: Ref) -> str:
        """The address of a ticket in its iTop."""
        return self.rules.of(ref.side).page_of(ref)

    def close(self) -> None:
        """Close its store."""
        if self._store is not None:
            self._store.close()


def load(settings: WebSettings, environ: Mapping[str, str]) -> dict[str, Watched]:
    """Load the configuration of each pair, without the passwords that it names; return the pairs by name.

    :raises ConfigurationError: one is faulty
    """
    found: dict[str, Watched] = {}
    for path in settings.pairs:
        configuration = config.load(path, environ, secrets=False)
        name = configuration.rules.pair
        if name in found:
            raise ConfigurationError([Fault(str(path), f"its pair '{name}' is shown already", "Name each pair once.")])
        url = _store_of(name, path, configuration.store_url, settings.file.stores.get(name), settings.folder)
        found[name] = Watched(configuration.rules, url, configuration.metrics.max_age)
    if unknown := sorted(settings.file.stores.keys() - found.keys()):
        raise ConfigurationError([Fault(f"stores.{unknown[0]}", "there is no such pair", f"There are: {', '.join(found)}.")])
    return found


def _store_of(name: str, path: Path, own: str, role: StoreRole | None, folder: Path) -> str:
    if role is None:
        if not Address.parse(own).is_sqlite:
            remedy = f"Add [stores.{name}] with a database user of the console's own to web.toml."
            raise ConfigurationError([Fault(str(path), "its store is on PostgreSQL, where its own user may write all", remedy)])
        return own
    from itopsync.config.stores import store_url

    faults = Faults(Path("web.toml"))
    section = StoreSection.model_construct(url=role.url)
    section._secret = role.secret
    url = store_url(section, folder, faults)
    faults.raise_if_any()
    return url
