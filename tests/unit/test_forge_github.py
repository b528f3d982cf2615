"""GitHub through a server that holds every request against GitHub's own description."""

from __future__ import annotations

import pytest

from pytest_cockpit.forge.addresses import Endpoint
from pytest_cockpit.forge.api import Request
from pytest_cockpit.forge.github import GitHub
from pytest_cockpit.forge.patience import Patience
from pytest_cockpit.forge.tokens import Token
from tests.forge_server import TOKEN

COMMIT = "1" * 40
REQUEST = Request("cockpit/1", "main", "Promote", "Body", ("promotion",), commit=COMMIT)


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def hub(forge, pauses):
    patience = Patience(say=None, sleep=pauses.append)
    return GitHub(Endpoint("github", "127.0.0.1", forge.url, "o/r"), Token(TOKEN, "TEST"), patience)


# ------------------------------------------------------------------ pull requests


def test_a_draft_is_opened_with_labels_and_found_again(forge, hub):
    first = hub.publish(REQUEST)
    assert (first.number, first.draft, first.labels) == (1, True, ("promotion",))
    assert (first.head, first.base, first.commit) == ("cockpit/1", "main", COMMIT)
    assert forge.state.pulls[1]["title"] == "Promote"
    assert hub.publish(REQUEST) == first
    assert forge.count("POST", "/pulls") == 1
    assert forge.count("PATCH", ".*") == 0
