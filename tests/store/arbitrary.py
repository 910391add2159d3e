"""Arbitrary links, for properties."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from itopsync.model import Agreed, Base, FilePair, FileStatus, Heading, Link, LinkStatus, NoteRecord, Obstacle, Ref, Side

sides = st.sampled_from(Side)
ids = st.integers(min_value=1, max_value=2**31 - 1)
words = st.text(max_size=20)
"""With NUL and all: what is within JSON may be anything."""
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
"""What stands in a column of its own."""
moments = st.datetimes(
    min_value=datetime.fromisoformat("2000-01-01"),
    max_value=datetime.fromisoformat("2100-01-01"),
    timezones=st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)
agreed = st.builds(Agreed, words, words)
bases = st.builds(
    Base,
    state=st.none() | agreed,
    fields=st.dictionaries(words, agreed, max_size=4),
    notes=st.dictionaries(
        words,
        st.builds(
            NoteRecord,
            sides,
            st.none() | moments,
            st.integers(0, 9),
            *[st.booleans()] * 3,
            *[st.just("") | words] * 2,
            st.booleans(),
        ),
        max_size=4,
    ),
    last_change=words,
    changed=st.none() | agreed,
    began=words,
    made_at=words,
    joined_logs=st.none() | st.frozensets(words, max_size=3),
    with_history=st.booleans(),
    heading=st.none() | st.builds(Heading, sides, st.lists(words, max_size=4).map(tuple)),
)
obstacles = st.builds(Obstacle, words, words, words, st.integers(0, 99), st.booleans(), st.none() | moments)
births = st.sampled_from(["", "20261124100824", "20261124100825"])
pairs = st.builds(FilePair, sides, ids, st.none() | ids, st.sampled_from(FileStatus), names, births)
files = st.lists(pairs, max_size=5, unique_by=lambda pair: (pair.origin, pair.original_id, pair.born)).map(
    lambda found: tuple(sorted(found, key=lambda pair: (pair.origin, pair.original_id, pair.born)))
)


def links(number: int) -> st.SearchStrategy[Link]:
    """Every link that may have the id *number*."""
    return st.builds(
        Link,
        st.just(number),
        st.builds(Ref, st.just(Side.EXTERNAL), names, ids),
        st.none() | st.builds(Ref, st.just(Side.INTERNAL), names, ids),
        st.sampled_from(LinkStatus),
        names,
        names,
        bases,
        files,
        st.lists(obstacles, max_size=3).map(tuple),
        st.none() | moments,
        st.booleans(),
    )
