"""The server's entry point: routes requests, checks logins and serves downloads."""

from __future__ import annotations

from html import escape

from itopsync.simulator import forms, rest
from itopsync.simulator.forms import Form
from itopsync.simulator.incoming import Incoming
from itopsync.simulator.instance import Instance
from itopsync.simulator.messages import HTML, MAINTENANCE, SimRequest, SimResponse, html_response, json_response
from itopsync.simulator.mishaps import Mishaps
from itopsync.simulator.refusals import Refusal
from itopsync.simulator.rights import Account
from itopsync.simulator.store import Document, Row

_NOT_FOUND = "<html><body><h1>404 Not Found</h1></body></html>\n"
_LOGIN_PAGE = "<html><body><form id='login'></form></body></html>\n"
#: The description of the search for browsers, which contains the server's ``app_root_url``.
_OPEN_SEARCH = """\
<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/" xmlns:moz="http://www.mozilla.org/2006/browser/search/">
<ShortName>iTop</ShortName>
<Url type="text/html" method="get" template="{url}/pages/UI.php?text={{searchTerms}}&amp;operation=full_text"/>
<moz:SearchForm>{url}/pages/UI.php</moz:SearchForm>
</OpenSearchDescription>
"""
_NOT_TO_SEE = "the object does not exist or you are not allowed to view it"
_HTML_WITHOUT_SPACE = "text/html;charset=UTF-8"


class Front:
    """Accepts requests."""

    def __init__(self, instance: Instance, mishaps: Mishaps) -> None:
        self._instance, self._mishaps = instance, mishaps

    def serve(self, request: SimRequest) -> SimResponse:
        """Return the response to any request."""
        if self._instance.maintenance:
            return json_response(MAINTENANCE, 503)
        if request.path.endswith("/webservices/rest.php"):
            return self._serve_rest(request)
        if request.path.endswith("/pages/ajax.document.php"):
            return self._serve_document(request)
        if request.path.endswith("/pages/opensearch.xml.php"):
            page = _OPEN_SEARCH.format(url=escape(self._instance.url))
            return SimResponse(200, {"content-type": "text/xml;charset=UTF-8"}, page.encode())
        return html_response(_NOT_FOUND, 404)

    def _serve_rest(self, request: SimRequest) -> SimResponse:
        instance = self._instance
        try:
            incoming = self._admit(request)
        except Refusal as refusal:
            instance.requests.counts["refused", ""] += 1
            return json_response({"code": refusal.code, "message": f"Error: {refusal.message}"})
        instance.requests.counts[incoming.verb, incoming.class_name] += 1
        response = self._mishaps.serve(incoming) if instance.faults else instance.execute(incoming)
        if instance.latency is not None:
            response.delay += instance.latency.of(incoming.verb, response.body.count(b'"key"'))
        return response

    def _admit(self, request: SimRequest) -> Incoming:
        """Check the login and the form in iTop's order, and return the request."""
        form = forms.read(request, self._instance.post_max_size, self._instance.store.schema.traits.takes_files)
        given, account = form.all, self._login(request, form)
        if account is None:
            raise Refusal("Invalid login", 1)
        if not account.may_use_rest:
            profile = "The profile REST Services User is required to access the REST web services"
            raise Refusal(f"This user is not authorized to use the web services. ({profile})", 1)
        if not given.get("version"):
            raise Refusal("Missing parameter 'version' (e.g. '1.0')", 2)
        if not given.get("json_data"):
            raise Refusal("Missing parameter 'json_data'", 3)
        parameters = rest.decode(given["json_data"])
        if given["version"] not in rest.VERSIONS:
            raise Refusal(f"There is no service available for version '{given['version']}'", 10)
        return Incoming(account, given["version"], parameters)

    def _login(self, request: SimRequest, form: Form) -> Account | None:
        instance = self._instance
        token = request.headers.get("auth-token")
        by_token = {account.token: account for account in instance.accounts.values() if account.token}
        if token and by_token:  # iTop without the module for tokens ignores them
            return by_token.get(token)
        if form.all.get("login_mode") == "basic":
            basic = forms.basic_login(request)
            return instance.account_of(*basic) if basic is not None else None
        return instance.account_of(form.posted.get("auth_user", ""), form.posted.get("auth_pwd", ""))

    def _serve_document(self, request: SimRequest) -> SimResponse:
        """Serve a download. A picture in a text requires its secret but no login, an attachment the reverse."""
        instance = self._instance
        form = forms.read(request, instance.post_max_size)
        given = form.all
        key = int(given["id"]) if given.get("id", "").isdigit() else 0
        if given.get("operation") == "download_inlineimage":
            image = instance.store.get("InlineImage", key)
            if image is None:
                return _invalid(f"id ({key})", "InlineImage")
            return _download(image, "inline") if image.get("secret") == given.get("s") else _invalid("secret", "InlineImage")
        account = self._login(request, form)
        if account is None:
            return html_response(_LOGIN_PAGE)
        file = instance.session(account, "web").see("Attachment", key)
        return _download(file, "attachment") if file is not None else _invalid(f"id ({key})", "Attachment")


def _invalid(what: str, class_name: str) -> SimResponse:
    page = f"<p>Invalid {what} for class '{class_name}' - {_NOT_TO_SEE}</p>\n"
    headers = {"content-type": _HTML_WITHOUT_SPACE, "content-disposition": 'inline; filename=""'}
    return SimResponse(200, headers, page.encode())


def _download(row: Row, disposition: str) -> SimResponse:
    document: Document = row["contents"] or Document(b"", "", "")
    name = document.filename.replace('"', "").encode("ascii", "replace").decode()
    headers = {
        "content-type": document.mimetype or HTML,
        "content-disposition": f'{disposition}; filename="{name}"',
    }
    return SimResponse(200, headers, document.data)
