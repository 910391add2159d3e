"""No file of the project holds a secret: looked for by the forms that such things have, without asking anybody."""

from __future__ import annotations

import math
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORMS = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "cloud key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}\b"),
    "token of a service": re.compile(r"\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk_live_|pypi-AgEI)\w{8,}"),
    "token in JSON": re.compile(r"\beyJ[\w-]{12,}\.[\w-]{12,}"),
    "password in an address": re.compile(r"\w://[^/\s:@\"'`{}]+:(?!password|secret|pw|b@|p%40)[^/\s:@\"'`{}]+@"),
    "password in a setting": re.compile(
        r"(?i)\b(password|passwd|auth_pwd|secret|token)\b[\"']?\s*[:=]\s*[\"']"
        r"(?!(?:secret|pw|password|wrong|[\w-]+-password|abcdef\d*|x+|s|)[\"'])[^\"'{}$<>()\s]{6,}[\"']"
    ),
}
RANDOM = re.compile(r"(?<![\w+/=-])[\w+/-]{32,}={0,2}(?![\w+/=-])")
"""Long enough for a key; how much it looks like one is measured."""
BITS = 4.3
"""Of entropy for each character: words and names stay below, random base64 is above."""
KNOWN = {
    ("tests/itop/tls/server.pem", "private key"),  # for localhost, made for one test, signed by an authority without a key
    ("tests/itop/tls/expired.pem", "private key"),  # signed by itself, for one test
    ("tests/itop/tls/future.pem", "private key"),  # the same
    ("tests/itop/tls/elsewhere.pem", "private key"),  # the same
    ("itopsync/demo/story.py", "random text"),  # a picture of one pixel
    ("tests/contract/test_attachments.py", "random text"),  # the same
    ("tests/itop/test_secrets.py", "password in a setting"),  # planted there, to see that it is not shown
    ("tests/simulator/data/transcript.jsonl", "password in a setting"),  # of a server that is gone
}
APART = ("requirements/", "tests/itop/cassettes/", "tests/simulator/data/", "tests/itop/tls/", "tests/config/data/")
"""Where random texts belong: digests, recorded pictures, certificates."""


def files() -> Iterator[tuple[str, str]]:
    """Every text that git keeps."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and name != "tests/test_no_secrets.py":
            yield name, path.read_text(errors="replace")


def found(name: str, text: str) -> set[tuple[str, str]]:
    """What looks like a secret in a file's *text*: the file and the form."""
    kinds = {kind for kind, form in FORMS.items() if form.search(text)}
    if not name.startswith(APART) and any(_is_random(word) for word in RANDOM.findall(text)):
        kinds.add("random text")
    return {(name, kind) for kind in kinds}


def _is_random(text: str) -> bool:
    kinds = (str.isdigit, str.islower, str.isupper)
    if not all(any(kind(char) for char in text) for kind in kinds):
        return False
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares) > BITS


def test_no_file_holds_a_secret() -> None:
    assert {secret for name, text in files() for secret in found(name, text)} - KNOWN == set()


def test_what_is_known_is_still_there() -> None:
    assert {secret for name, text in files() for secret in found(name, text)} >= KNOWN


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE", "private key"),
        ("key: AKIA" + "IOSFODNN7EXAMPLE", "cloud key"),
        ("ghp_" + "a1B2" * 9, "token of a service"),
        ('url = "postgresql://itopsync:' + 'Tr0ub4dor@db.example.com/x"', "password in an address"),
        ('password = "' + 'Tr0ub4dor&3"', "password in a setting"),
        ("auth_pwd: '" + "correct-horse'", "password in a setting"),
        ("AUTH = " + "q8ZsT1vYp0LmX7cRb4WnJ2dKf6GhE9aU5iOo3tSx", "random text"),
    ],
)
def test_a_secret_would_be_found(text: str, kind: str) -> None:
    assert ("a.toml", kind) in found("a.toml", text)
