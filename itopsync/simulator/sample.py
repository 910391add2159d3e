"""The sample data of a new simulator, and its accounts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib import resources

from itopsync.simulator.rights import ADMINISTRATOR, REST_PROFILE, SYNC_PROFILES, Account
from itopsync.simulator.schema import Schema
from itopsync.simulator.store import Row, Store
from itopsync.simulator.values import default_of

#: The accounts of a new simulator, with the ids from the recordings. ``norest`` lacks the REST profile.
ACCOUNTS = (
    Account("admin", "admin-password", 1, 1, (ADMINISTRATOR, REST_PROFILE)),
    Account("sync", "sync-password", 2, 40, SYNC_PROFILES),
    Account("agent", "agent-password", 4, 42, (ADMINISTRATOR, REST_PROFILE)),
    Account("norest", "norest-password", 5, 43, ("Support Agent",)),
)


def load_sample(store: Store, accounts: Iterable[Account]) -> None:
    """Fill an empty store with iTop's own sample data (organisations, people, services) and the accounts' users."""
    for row in _sample(store.schema):
        store.put(row)
    for account in accounts:
        user: Row = {"finalclass": "UserLocal", "id": account.user_id, "login": account.login}
        store.put({**user, "contactid": account.contact_id, "language": "EN US", "status": "enabled"})


@cache
def _sample(schema: Schema) -> tuple[Row, ...]:
    """The rows of the sample data, which all stores of a schema share: none is ever changed in place."""
    text = resources.files(__package__).joinpath("data/sample.json").read_text("utf-8")
    rows: list[Row] = []
    for class_name, all_given in json.loads(text).items():
        attributes = schema[class_name].attributes
        for given in all_given:
            row: Row = {"finalclass": class_name}
            row |= {code: default_of(attribute, "") for code, attribute in attributes.items() if attribute.stored}
            for code, content in given.items():
                row[code] = int(content) if code == "id" or attributes[code].integral else content
            rows.append(row)
    return tuple(rows)
