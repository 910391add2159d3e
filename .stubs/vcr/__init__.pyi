from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from vcr.request import Request

class Cassette:
    all_played: bool

class VCR:
    def __init__(
        self,
        *,
        record_mode: str,
        match_on: Sequence[str],
        before_record_request: Callable[[Request], Request],
        before_record_response: Callable[[dict[str, Any]], dict[str, Any]],
        decode_compressed_response: bool,
    ) -> None: ...
    def register_matcher(self, name: str, matcher: Callable[[Request, Request], None]) -> None: ...
    def use_cassette(self, path: str) -> AbstractContextManager[Cassette]: ...
