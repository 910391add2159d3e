"""A plain caller of iTop's REST services, for tests that look at the server and not at itopsync."""

import base64
import json
from typing import Any

import httpx

from itopsync.simulator import Simulator
from tests.transport import SimulatorTransport

Json = dict[str, Any]


class Refused(Exception):
    """An answer with a code other than 0."""

    def __init__(self, answer: Json) -> None:
        super().__init__(answer["message"])
        self.code: int = answer["code"]
        self.message: str = answer["message"]


class Caller:
    """Calls a server as one account. The verbs return what they wrote or found, and raise :class:`Refused`."""

    def __init__(self, client: httpx.Client, url: str, login: str, password: str) -> None:
        self.client = client
        self.url = url
        self.form = {"auth_user": login, "auth_pwd": password}

    def post(self, request: Json | str | None, query: str = "?version=1.3", **form: str) -> httpx.Response:
        """Send a request as it is; text is sent unencoded, None leaves ``json_data`` out."""
        data = self.form | form
        if request is not None:
            data["json_data"] = request if isinstance(request, str) else json.dumps(request)
        return self.client.post(f"{self.url}/webservices/rest.php{query}", data=data)

    def ask(self, operation: str, class_name: str = "", **parameters: Any) -> Json:
        """The decoded answer, whatever its code."""
        response = self.post({"operation": operation, "class": class_name, "comment": "a test", **parameters})
        assert response.status_code == 200, f"{response.status_code}: {response.text}"
        answer: Json = response.json()
        return answer

    def call(self, operation: str, class_name: str = "", **parameters: Any) -> Json:
        answer = self.ask(operation, class_name, **parameters)
        if answer["code"] != 0:
            raise Refused(answer)
        return answer

    def get(self, class_name: str, key: Any, fields: str = "id", **paging: int) -> list[Json]:
        """The fields of the objects found, in the server's order."""
        return _fields(self.call("core/get", class_name, key=key, output_fields=fields, **paging))

    def ids(self, query: str) -> list[int]:
        """The ids that an OQL query finds, in ascending order."""
        class_name = query.split()[1]
        return sorted(int(fields["id"]) for fields in self.get(class_name, query))

    def count(self, query: str) -> int:
        """How many objects a query finds, for the price of one."""
        message: str = self.call("core/get", query.split()[1], key=query, output_fields="id", limit=1)["message"]
        return int(message.removeprefix("Found: "))

    def create(self, class_name: str, fields: Json, shown: str = "id") -> Json:
        return _fields(self.call("core/create", class_name, fields=fields, output_fields=shown))[0] | {"class": class_name}

    def update(self, class_name: str, key: Any, fields: Json, shown: str = "id") -> Json:
        return _fields(self.call("core/update", class_name, key=key, fields=fields, output_fields=shown))[0]

    def stimulus(self, class_name: str, key: Any, stimulus: str, fields: Json | None = None, shown: str = "status") -> Json:
        answer = self.call(
            "core/apply_stimulus", class_name, key=key, stimulus=stimulus, fields=fields or {}, output_fields=shown
        )
        return _fields(answer)[0]

    def delete(self, class_name: str, key: Any) -> int:
        """The number that went, as the message tells it."""
        message: str = self.call("core/delete", class_name, key=key)["message"]
        return int(message.removeprefix("Deleted: ").split()[0])

    def attach(self, class_name: str, key: int, name: str, data: bytes, **fields: Any) -> int:
        contents = {"data": base64.b64encode(data).decode(), "mimetype": "text/plain", "filename": name}
        given = {"item_class": class_name, "item_id": key, "item_org_id": 3, "contents": contents, **fields}
        return int(self.create("Attachment", given)["id"])

    def log(self, class_name: str, key: int, log: str = "private_log") -> list[Json]:
        """The entries of a ticket's log."""
        entries: list[Json] = self.get(class_name, key, log)[0][log]["entries"]
        return entries


def calling(simulator: Simulator, login: str = "sync", timeout: float = 5.0) -> Caller:
    """A caller of a simulator, within the process."""
    client = httpx.Client(transport=SimulatorTransport(simulator), timeout=timeout)
    return Caller(client, simulator.url, login, simulator.accounts[login].password)


def _fields(answer: Json) -> list[Json]:
    return [found["fields"] for found in (answer["objects"] or {}).values()]
