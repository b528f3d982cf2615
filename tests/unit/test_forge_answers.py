"""Whatever a forge answers: an error in words, never a traceback, never a false `done`."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_cockpit.forge import texts
from pytest_cockpit.forge.addresses import Endpoint
from pytest_cockpit.forge.api import Check, ForgeError, Policy, PullRequest, Request, State
from pytest_cockpit.forge.github import GitHub
from pytest_cockpit.forge.gitlab import GitLab
from pytest_cockpit.forge.patience import Patience
from pytest_cockpit.forge.tokens import Token
from pytest_cockpit.records import limits
from tests.forge_server import TOKEN, running

COMMIT = "1" * 40
REQUEST = Request("cockpit/1", "main", "Promote", "Body", ("promotion",), commit=COMMIT)
KEYS = st.sampled_from(
    [
        "number",
        "iid",
        "id",
        "html_url",
        "web_url",
        "head",
        "ref",
        "sha",
        "source_branch",
        "base",
        "state",
        "name",
        "labels",
        "body",
        "message",
        "errors",
        "code",
        "output",
        "user",
        "login",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=8)
    | st.sampled_from(["cockpit/1", "main", "open", "closed", COMMIT, "https://x/1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)
BODIES = VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
STATUSES = st.sampled_from([200, 201, 202, 204, 400, 401, 403, 404, 409, 418, 422, 429, 500, 503])
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Reset"]),
    st.integers(min_value=-9, max_value=10**30).map(str) | st.sampled_from(["0", "x", "1e400"]),
    max_size=3,
)


@pytest.fixture(scope="module")
def server():
    with running() as made:
        yield made


@pytest.mark.parametrize("kind", [GitHub, GitLab])
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(status=STATUSES, body=BODIES, headers=HEADERS)
@example(status=200, body=b"[" * 100_000, headers={})
@example(status=403, body=b'{"message": 5}', headers={"X-RateLimit-Remaining": "0"})
@example(status=200, body=b'[{"head": {"ref": "cockpit/1"}}]', headers={})
@example(status=200, body=b'"\\ud800"', headers={})
@example(status=200, body=b"NaN", headers={})
@example(status=429, body=b"{}", headers={"X-RateLimit-Reset": "9" * 30})
def test_any_answer_is_an_error_in_words(server, kind, status, body, headers):
    del server.faults[:], server.asked[:]
    server.fail("*", "=.*", status=status, body=body, headers=headers, times=10**6)
    forge = kind(
        Endpoint("x", "127.0.0.1", server.url, "o/r"),
        Token(TOKEN, "TEST"),
        Patience(sleep=lambda _: None),
    )
    calls = {
        "publish": lambda: forge.publish(REQUEST),
        "comment": lambda: forge.comment(7, "red", "text"),
        "show": lambda: forge.show(COMMIT, Check("c", State.SUCCESS, "s")),
        "labels": forge.labels,
        "labels_of": lambda: forge.labels_of(7),
        "may_push": forge.may_push,
        "policy": lambda: forge.policy("main"),
    }
    for name, call in calls.items():
        try:
            found = call()
        except ForgeError as error:
            said = str(error)
        else:
            assert _could_be_said(name, found)
            said = name
        assert said.isprintable(), name
        assert TOKEN not in said


def _could_be_said(name, found):
    """Nothing that one and the same answer to everything says can be more than this."""
    if name in ("labels", "labels_of"):
        return all(isinstance(label, str) for label in found)
    if name == "may_push":
        return found in (True, False, None)
    if name == "policy":
        return found is None or isinstance(found, Policy)
    if name == "publish":
        return isinstance(found, PullRequest) and found.head == "cockpit/1"
    return False


# ------------------------------------------------------------------ texts


@given(st.text(), st.integers(min_value=200, max_value=400))
@example("😀" * 400, 201)
@example("```\n" + "a\n" * 300, 200)
@example("\ud800" * 400, 250)
def test_a_shortened_text_fits_and_says_so(text, most):
    short = texts.shortened(text, most, "x.md")
    assert limits.characters(short) <= most
    assert short == text or short.endswith("the rest is in x.md*\n")


def test_a_fence_that_is_cut_open_is_closed_however_long_it_is():
    text = "````text\n```\n" + "line\n" * 99 + "````\n"
    short = texts.shortened(text, 200, "x.md")
    assert re.search(r"\nline\n````\n\n\*\d+ more lines: the rest is in x\.md\*\n\Z", short)


@given(st.text(), st.integers(min_value=2, max_value=40))
def test_a_line_is_one_line_that_fits(text, most):
    line = texts.line(text, most)
    assert limits.characters(line) <= most
    assert len(line.splitlines()) <= 1
