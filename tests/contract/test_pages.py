"""The pages beside the API that itopsync asks for, without a login."""

import re

from tests.contract.conftest import Itop


def test_the_server_tells_what_it_calls_itself(itop: Itop) -> None:
    page = itop.sync.client.get(f"{itop.sync.url}/pages/opensearch.xml.php")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/xml")
    assert re.findall(r"<moz:SearchForm>(.*)</moz:SearchForm>", page.text) == [f"{itop.sync.url}/pages/UI.php"]


def test_a_picture_that_is_not_there_is_a_page_with_an_empty_file_name(itop: Itop) -> None:
    query = {"operation": "download_inlineimage", "id": "0", "s": "ab"}
    page = itop.sync.client.get(f"{itop.sync.url}/pages/ajax.document.php", params=query)
    assert page.status_code == 200
    assert page.headers["content-disposition"] == 'inline; filename=""'
