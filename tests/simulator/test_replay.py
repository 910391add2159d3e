"""The simulator answers as the real server did, exchange by exchange."""

import pytest

from tests.simulator import record

EXCHANGES = record.read()
#: What may differ, by exchange: the beginning of the difference, and why itopsync cannot notice it.
MAY_DIFFER = {
    "given/ServiceSubcategory": (
        "/objects keys", "two are named Troubleshooting: the database lists what sorts alike in any order"
    ),
    "attachment/list-without-contents": (
        "/objects keys", "attachments sort by a name that they all share: in any order, which itopsync never relies on"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def replayed() -> list[tuple[record.Exchange, list[str]]]:
    return list(record.replay(EXCHANGES))


@pytest.mark.parametrize("place", range(len(EXCHANGES)), ids=[exchange.name for exchange in EXCHANGES])
def test_an_exchange_agrees_with_the_record(replayed: list[tuple[record.Exchange, list[str]]], place: int) -> None:
    exchange, differences = replayed[place]
    allowed, _why = MAY_DIFFER.get(exchange.name, ("nothing", ""))
    assert [difference for difference in differences if not difference.startswith(allowed)] == []


def test_nearly_all_agree_in_full(replayed: list[tuple[record.Exchange, list[str]]], capsys: pytest.CaptureFixture[str]) -> None:
    in_full = [exchange.name for exchange, differences in replayed if not differences]
    with capsys.disabled():
        print(f"\n{len(in_full)} of {len(replayed)} recorded exchanges agree in full")
        for name, (what, why) in MAY_DIFFER.items():
            print(f"  {name}: {what} ({why})")
    assert len(in_full) >= 0.95 * len(replayed)
    assert len(in_full) + len(MAY_DIFFER) == len(replayed), "an exception that is no longer needed, or a new difference"
