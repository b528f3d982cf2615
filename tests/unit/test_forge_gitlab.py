"""GitLab through a server that holds every request against GitLab's documentation."""

from __future__ import annotations

import pytest

from pytest_cockpit.forge.addresses import Endpoint
from pytest_cockpit.forge.api import Check, ForgeError, Policy, Request, State
from pytest_cockpit.forge.gitlab import GitLab
from pytest_cockpit.forge.patience import Patience
from pytest_cockpit.forge.tokens import Token
from tests.forge_server import TOKEN
from tests.gitlab_server import GitLabServer

COMMIT = "1" * 40
REQUEST = Request("cockpit/1", "main", "Promote", "Body", ("promotion", "x"), commit=COMMIT)
CHECK = Check("cockpit/imports", State.SUCCESS, "pass: 3 of 3 modules import")


@pytest.fixture
def server():
    made = GitLabServer()
    made.start()
    yield made
    made.stop()
    assert made.violations == []


@pytest.fixture
def lab(server):
    return make(server)


def make(server, source="TEST", token=TOKEN):
    held = Patience(sleep=lambda _: None)
    endpoint = Endpoint("gitlab", "127.0.0.1", server.url, "g/s/r")
    return GitLab(endpoint, Token(token, source), held)


def count(server, method, path):
    return sum(each.method == method and each.path.endswith(path) for each in server.asked)


def test_a_draft_is_opened_with_labels_and_found_again(server, lab):
    first = lab.publish(REQUEST)
    assert (first.number, first.draft, first.labels) == (1, True, ("promotion", "x"))
    assert (first.head, first.base, first.merged) == ("cockpit/1", "main", False)
    assert server.requests[1]["title"] == "Draft: Promote"
    assert lab.publish(REQUEST).commit == COMMIT
    assert (count(server, "POST", "/merge_requests"), count(server, "PUT", "/1")) == (1, 0)


def test_it_is_brought_up_to_date_in_place_and_stays_ready(server, lab):
    server.add("cockpit/1", "main", title="Ready", labels=["promotion"])
    found = lab.publish(REQUEST)
    assert (found.number, found.draft, found.labels) == (1, False, ("promotion", "x"))
    assert (server.requests[1]["title"], server.requests[1]["description"]) == ("Promote", "Body")


def test_what_was_merged_at_this_commit_is_not_opened_again(server, lab):
    server.add("cockpit/1", "main", state="merged", sha=COMMIT)
    assert lab.publish(REQUEST).merged
    assert count(server, "POST", "/merge_requests") == 0


def test_a_fork_with_the_same_branch_is_not_ours(server, lab):
    server.add("cockpit/1", "main", source_project_id=7, state="closed")
    assert lab.publish(REQUEST).number == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True, "after": True},
        {"drop": True},
        {"status": 500, "after": True},
        {"status": 201, "body": b"<html>", "after": True},
        {"status": 201, "body": {}, "after": True},
        {
            "status": 409,
            "body": {"message": ["Another open one already exists: !1"]},
            "after": True,
        },
        {"status": 429, "headers": {"Retry-After": "3"}},
    ],
)
def test_there_is_never_a_second_merge_request(server, lab, fault):
    server.fail("POST", server.below("/merge_requests"), **fault)
    assert lab.publish(REQUEST).number == 1
    assert len(server.requests) == 1


def test_a_refusal_in_the_forges_own_words(server, lab):
    said = {"message": {"base": ["does not exist"], "title": ["is too long"]}}
    server.fail("POST", server.below("/merge_requests"), status=422, body=said)
    with pytest.raises(ForgeError, match=r"422 base: does not exist; title: is too long"):
        lab.publish(REQUEST)


def test_an_expired_token(server):
    with pytest.raises(
        ForgeError, match=r"the token of GITLAB_TOKEN is not accepted \(401 401 Unau"
    ):
        make(server, "GITLAB_TOKEN", "glpat-gone").publish(REQUEST)


def test_the_token_of_a_job_goes_under_its_own_header(server):
    make(server, "CI_JOB_TOKEN").publish(REQUEST)
    assert all(each.headers["job-token"] == TOKEN for each in server.asked)
    assert all("authorization" not in each.headers for each in server.asked)


def test_a_note_is_updated_in_place_on_the_right_thing(server, lab):
    server.add_note("merge_requests/7", "<!-- pytest-cockpit:red -->\nforged", "mallory")
    url = lab.comment(7, "red", "one")
    assert url.endswith("/g/s/r/-/merge_requests/7#note_2")
    assert lab.comment(7, "red", "two") == url
    assert lab.comment(7, "red", "three", issue=True).endswith("/-/issues/7#note_3")
    assert lab.comment(8, "red", "x", anew=False) == ""
    assert [row["body"].partition("\n")[2] for row in server.notes] == ["forged", "two", "three"]


def test_a_long_note_is_shortened(server, lab):
    lab.comment(7, "on-red/batch", "line\n" * 205_000)
    [note] = server.notes
    assert note["body"].endswith("more lines: the rest is in the artifacts of the session*\n")


def test_a_note_whose_answer_was_lost_is_not_written_twice(server, lab):
    server.fail("POST", server.below("/issues/7/notes"), drop=True, after=True)
    lab.comment(7, "red", "one", issue=True)
    assert len(server.notes) == 1


@pytest.mark.parametrize("fault", [{}, {"drop": True}, {"status": 502}])
def test_a_status_is_shown_once(server, lab, fault):
    if fault:
        server.fail("POST", server.below("/statuses/.*"), after=True, **fault)
    lab.show(COMMIT, CHECK)
    lab.show(COMMIT, CHECK)
    lab.show(COMMIT, Check("cockpit/matriz", State.NEUTRAL, "w " * 400))
    assert [(row["name"], row["status"]) for row in server.shown] == [
        ("cockpit/imports", "success"),
        ("cockpit/matriz", "skipped"),
    ]


@pytest.mark.parametrize(
    "rights, answer",
    [
        ({"project_access": {"access_level": 30}, "group_access": None}, True),
        ({"project_access": {"access_level": 20}, "group_access": None}, False),
        ({"project_access": None, "group_access": {"access_level": 50}}, True),
        ({"project_access": None, "group_access": None}, None),
        (None, None),
    ],
)
def test_whether_it_may_push(server, lab, rights, answer):
    server.project["permissions"] = rights
    assert lab.may_push() is answer


def test_labels(server, lab):
    lab.publish(REQUEST)
    assert lab.labels() == {"promotion", "x"}
    assert lab.labels_of(1) == ("promotion", "x")


def test_a_branch_without_any_protection(lab):
    assert lab.policy("main") == Policy((), 0, up_to_date=False, pushes=True, force_pushes=True)


def test_a_protected_branch(server, lab):
    server.project |= {"only_allow_merge_if_pipeline_succeeds": True, "merge_method": "ff"}
    nobody = [{"access_level": 0, "access_level_description": "No one"}]
    server.protected = [
        {"name": "rel*", "push_access_levels": nobody, "allow_force_push": False},
        {"name": "main", "push_access_levels": [{"access_level": 40}], "allow_force_push": False},
    ]
    server.rules = [{"id": 1, "approvals_required": 2}]
    assert lab.policy("release/1") == Policy(
        ("pipeline",), 2, up_to_date=True, pushes=False, force_pushes=False
    )
    assert lab.policy("main").pushes
    assert lab.policy("[m]ain").force_pushes


def test_a_policy_that_may_not_be_seen_is_unknown(server, lab):
    del server.project["only_allow_merge_if_pipeline_succeeds"]
    assert lab.policy("main") is None
    server.protected = None
    assert lab.policy("main") is None
