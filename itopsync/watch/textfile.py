"""Metrics as a file for node_exporter's textfile collector: replaced atomically, with counters that continue across runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from itopsync.settings.addresses import refuse_special

READABLE = 0o644
"""node_exporter runs as another user."""

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Textfile:
    """The file at *path*. Its counters continue from their values when this process started."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = _read(path)

    def write(self, registry: CollectorRegistry) -> None:
        """Replace the file with the contents of *registry*.

        :raises OSError: the folder is not writable
        """
        whole = CollectorRegistry()
        whole.register(_Added(registry, self._before))
        text = generate_latest(whole)
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text)
                os.fchmod(file.fileno(), READABLE)
            Path(name).replace(self._path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise


class _Added(Collector):
    """The contents of a registry, with earlier counts added to its own."""

    def __init__(self, registry: CollectorRegistry, before: dict[_Key, Sample]) -> None:
        self._registry, self._before = registry, before

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            if not family.name.startswith("itopsync_"):
                continue  # metrics of this process, which has ended when the file is read
            yield self._counted_on(family) if family.type in ("counter", "histogram") else family

    def _counted_on(self, family: Metric) -> Metric:
        names = {f"{family.name}{suffix}" for suffix in ("_total", "_bucket", "_sum", "_count")}
        samples = {_key(sample): sample for sample in family.samples}
        for key, old in self._before.items():
            if old.name in names:
                new = samples.get(key, old._replace(value=0.0))
                samples[key] = new._replace(value=new.value + old.value)
        whole = Metric(family.name, family.documentation, family.type)
        whole.samples = list(samples.values())
        return whole


def _key(sample: Sample) -> _Key:
    return sample.name, tuple(sorted(sample.labels.items()))


def _read(path: Path) -> dict[_Key, Sample]:
    """The samples in the file; empty if it does not exist or cannot be parsed, which restarts the counters."""
    try:
        refuse_special(path)
        families = list(text_string_to_metric_families(path.read_text()))
    except (OSError, ValueError):
        return {}
    return {_key(sample): sample for family in families for sample in family.samples}
