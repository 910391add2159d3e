from typing import Any

class Request:
    method: str
    uri: str
    body: Any
    headers: dict[str, str]
