"""GitHub through a server that holds every request against GitHub's own description."""

from __future__ import annotations

import functools
import re
import time

import pytest

from pytest_cockpit.forge import patience, wire
from pytest_cockpit.forge.addresses import Endpoint
from pytest_cockpit.forge.api import Annotation, Check, ForgeError, Level, Policy, Request, State
from pytest_cockpit.forge.github import GitHub
from pytest_cockpit.forge.patience import Patience
from pytest_cockpit.forge.tokens import Token
from tests.forge_server import TOKEN, ForgeServer, running
from tests.github_answers import example

COMMIT = "1" * 40
REQUEST = Request("cockpit/1", "main", "Promote", "Body", ("promotion",), commit=COMMIT)
CHECK = Check("cockpit/imports", State.SUCCESS, "pass: 3 of 3 modules import")


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def told():
    return []


@pytest.fixture
def hub(forge, pauses, told):
    return make(forge, pauses, told)


def make(forge, pauses, told=None, token=TOKEN):
    say = None if told is None else told.append
    held = Patience(say, sleep=pauses.append, chance=lambda: 1.0)
    return GitHub(Endpoint("github", "127.0.0.1", forge.url, "o/r"), Token(token, "TEST"), held)


def numbers(forge):
    return [pull["number"] for pull in forge.state.open_pulls]


# ------------------------------------------------------------------ pull requests


def test_a_draft_is_opened_with_labels_and_found_again(forge, hub):
    first = hub.publish(REQUEST)
    assert (first.number, first.draft, first.labels) == (1, True, ("promotion",))
    assert (first.head, first.base, first.commit) == ("cockpit/1", "main", COMMIT)
    assert first.url == "https://github.com/o/r/pull/1"
    assert forge.state.pulls[1]["title"] == "Promote"
    assert hub.publish(REQUEST) == first
    assert forge.count("POST", "/pulls") == 1
    assert forge.count("PATCH", ".*") == 0


def test_title_and_body_are_brought_up_to_date_in_place(forge, hub):
    hub.publish(REQUEST)
    forge.state.pulls[1] |= {"body": "Another\r\nbody", "draft": False}
    changed = hub.publish(Request("cockpit/1", "main", "New", "Other", ("promotion",)))
    assert numbers(forge) == [1]
    assert (forge.state.pulls[1]["title"], forge.state.pulls[1]["body"]) == ("New", "Other")
    # Whether it is a draft is its people's business by then.
    assert not changed.draft


def test_line_ends_of_another_system_are_no_difference(forge, hub):
    forge.state.add_pull("cockpit/1", "main", "Promote", "a\r\nb")
    hub.publish(Request("cockpit/1", "main", "Promote", "a\nb"))
    assert forge.count("PATCH", ".*") == 0


def test_somebody_elses_pull_request_is_not_taken_for_ours(forge, hub):
    other = forge.state.add_pull("cockpit/1", "main")
    forge.state.pulls[other]["head"]["repo"]["full_name"] = "fork/r"
    forge.state.pulls[other]["base"]["ref"] = "release"
    assert hub.publish(REQUEST).number != other


def test_of_two_with_this_branch_the_one_with_our_base_is_taken(forge, hub):
    forge.state.add_pull("cockpit/1", "release")
    ours = forge.state.add_pull("cockpit/1", "main")
    assert hub.publish(REQUEST).number == ours


def test_one_that_somebody_retargeted_stays_where_it_is(forge, hub):
    number = forge.state.add_pull("cockpit/1", "release")
    assert (hub.publish(REQUEST).number, hub.publish(REQUEST).base) == (number, "release")


def test_what_was_merged_at_this_commit_is_not_opened_again(forge, hub):
    number = forge.state.add_pull(
        "cockpit/1", "main", state="closed", merged_at="2026-01-01T00:00:00Z"
    )
    found = hub.publish(REQUEST)
    assert (found.number, found.merged) == (number, True)
    assert forge.count("POST", ".*") == 0


@pytest.mark.parametrize("how", [{"merged_at": None}, {"merged_at": "2026-01-01T00:00:00Z"}])
def test_one_that_was_closed_or_merged_at_another_commit_does_not_count(forge, hub, how):
    forge.state.heads["cockpit/1"] = "2" * 40
    forge.state.add_pull("cockpit/1", "main", state="closed", **how)
    assert hub.publish(REQUEST).number == 2


def test_a_label_that_does_not_exist_is_made(forge, hub):
    hub.publish(REQUEST)
    assert forge.state.labels == ["promotion"]
    assert forge.count("POST", "/labels") == 1


def test_labels_differ_by_more_than_their_case(forge, hub):
    forge.state.labels.append("Promotion")
    hub.publish(REQUEST)
    forge.state.pulls[1]["labels"] = ["Promotion"]
    hub.publish(REQUEST)
    assert forge.count("POST", "/labels") == 0
    assert forge.count("POST", "/issues/1/labels") == 1


def test_a_label_that_may_not_be_made_is_named(forge, hub):
    forge.state.may_label = False
    with pytest.raises(ForgeError, match=r"no label 'promotion'.* tool\.cockpit\.forge\.labels"):
        hub.publish(REQUEST)
    # The pull request is there, and is found again once there is such a label.
    forge.state.labels.append("promotion")
    assert hub.publish(REQUEST).number == 1


def test_a_label_made_by_somebody_at_the_same_time_is_taken(forge, hub):
    forge.fail(
        "POST",
        "/labels",
        status=422,
        body={"message": "Validation Failed", "errors": [{"code": "already_exists"}]},
        after=True,
    )
    assert hub.publish(REQUEST).labels == ("promotion",)


def test_a_long_body_is_shortened_and_says_so(forge, hub):
    body = "```text\n" + "line\n" * 20_000
    hub.publish(Request("cockpit/1", "main", "T", body, rest="`artifacts/promotion_pr_body.md`"))
    shown = forge.state.pulls[1]["body"]
    assert len(shown) <= 65_536
    said = r"line\n```\n\n\*[\d,]+ more lines: the rest is in `artifacts/promotion_pr_body\.md`\*\n"
    assert re.search(said + r"\Z", shown)
    assert hub.publish(
        Request("cockpit/1", "main", "T", body, rest="`artifacts/promotion_pr_body.md`")
    )
    assert forge.count("PATCH", ".*") == 0


# ------------------------------------------------------------------ answers that get lost


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True, "after": True},
        {"drop": True},
        {"status": 500, "after": True},
        {"status": 502, "body": b"<html>"},
        {"status": 201, "body": b'{"number"', "after": True},
        {"status": 201, "body": [], "after": True},
        {"status": 200, "body": b"", "after": True},
        {"truncate": True, "after": True, "status": 201, "body": {"x": "y" * 100}},
        {
            "status": 422,
            "after": True,
            "body": {
                "message": "Validation Failed",
                "errors": [{"code": "custom", "message": "A pull request already exists for o:c."}],
            },
        },
    ],
)
def test_there_is_never_a_second_pull_request(forge, hub, fault):
    forge.fail("POST", "/pulls", **fault)
    assert hub.publish(REQUEST).number == 1
    assert numbers(forge) == [1]
    assert forge.state.pulls[1]["labels"] == ["promotion"]


def test_a_post_is_not_repeated_before_looking(forge, hub):
    forge.fail("POST", "/pulls", drop=True, after=True)
    forge.fail("GET", "/pulls", skip=1, status=503, times=2)
    hub.publish(REQUEST)
    assert forge.count("POST", "/pulls") == 1
    assert forge.count("GET", "/pulls") == 4


def test_an_answer_about_another_branch_is_not_believed(forge, hub):
    other = {**example("pull-request"), "draft": True}
    forge.fail("POST", "/pulls", status=201, body=other)
    assert hub.publish(REQUEST).head == "cockpit/1"


def test_two_sessions_at_once_make_one(forge, pauses):
    import threading

    made = []
    barrier = threading.Barrier(2)

    def one():
        hub = make(forge, pauses)
        barrier.wait()
        made.append(hub.publish(REQUEST).number)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1, 1]
    assert numbers(forge) == [1]


# ------------------------------------------------------------------ patience


def test_trouble_is_waited_for_longer_each_time(forge, hub, pauses):
    forge.fail("GET", "/pulls", status=500, times=3)
    hub.publish(REQUEST)
    assert pauses == [0.5, 1.0, 2.0]


def test_chance_shortens_a_pause_to_half_at_most():
    pauses: list[float] = []
    held = Patience(sleep=pauses.append, chance=lambda: 0.0)
    with pytest.raises(ForgeError):
        held.ask("x", functools.partial(_trouble, None))
    assert pauses == [0.25, 0.5, 1.0, 2.0]


def _trouble(after):
    raise patience.Trouble("503", after)


def test_trouble_that_lasts_is_one_line_with_a_remedy(forge, hub):
    forge.fail("GET", "/pulls", status=503, body={"message": "Unicorn!"}, times=99)
    with pytest.raises(ForgeError) as caught:
        hub.publish(REQUEST)
    assert str(caught.value) == (
        "127.0.0.1/o/r: pull requests of cockpit/1: 503 Unicorn!; tried 5 times; "
        "run the same command again later"
    )


@pytest.mark.parametrize("status", [403, 429])
def test_a_limit_is_waited_for_as_long_as_it_says(forge, hub, pauses, told, status):
    said = {"message": "You have exceeded a secondary rate limit."}
    forge.fail("GET", "/pulls", status=status, body=said, headers={"Retry-After": "7"})
    hub.publish(REQUEST)
    assert pauses == [7.0]
    [line] = told
    assert line.startswith("127.0.0.1/o/r: pull requests of cockpit/1: ")
    assert line.endswith(f"{status} You have exceeded a secondary rate limit.; trying again in 7 s")


@pytest.mark.parametrize("wrong_by", [0, -86_400, 86_400])
def test_the_end_of_a_limit_is_told_by_the_forges_clock(forge, hub, pauses, wrong_by):
    forge.state.clock_offset_s = wrong_by
    reset = str(int(time.time() + wrong_by + 30))
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    forge.fail("GET", "/pulls", status=403, headers=headers)
    hub.publish(REQUEST)
    assert len(pauses) == 1
    assert 25 <= pauses[0] <= 31


@pytest.mark.parametrize("after", ["soon", "-1", "nan", "1e999", "²", ""])
def test_a_limit_that_says_no_time_is_waited_for_like_other_trouble(forge, hub, pauses, after):
    forge.fail(
        "GET", "/pulls", status=429, headers={"Retry-After": after.encode().decode("latin-1")}
    )
    hub.publish(REQUEST)
    assert pauses == [0.5]


def test_a_limit_may_end_at_a_moment(forge, hub, pauses):
    from email.utils import formatdate

    forge.state.clock_offset_s = 86_400
    moment = formatdate(time.time() + 86_430, usegmt=True)
    forge.fail("GET", "/pulls", status=429, headers={"Retry-After": moment})
    hub.publish(REQUEST)
    assert 25 <= pauses[0] <= 31


def test_an_answer_is_not_unpacked(forge, hub):
    import gzip

    forge.fail(
        "GET",
        "/pulls",
        status=200,
        body=gzip.compress(b"[]"),
        headers={"Content-Encoding": "gzip"},
        times=9,
    )
    with pytest.raises(ForgeError, match="the answer is packed, which was not asked for"):
        hub.publish(REQUEST)
    assert {each.headers["accept-encoding"] for each in forge.asked} == {"identity"}


def test_a_commit_that_the_forge_does_not_know_yet_is_waited_for(forge, hub):
    said = {"message": f"No commit found for SHA: {COMMIT}"}
    forge.fail("POST", "/statuses/.*", status=422, body=said, times=2)
    hub.show(COMMIT, CHECK)
    assert forge.state.shown(COMMIT) == {CHECK.name: "success"}


def test_a_pause_beyond_all_patience_is_not_begun(forge, hub, pauses):
    forge.fail("GET", "/pulls", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(ForgeError, match=r"3600 s more, and a session waits 120 s at most"):
        hub.publish(REQUEST)
    assert pauses == []


def test_pauses_add_up_to_a_limit(forge, hub, pauses):
    forge.fail("GET", "/pulls", status=429, headers={"Retry-After": "50"}, times=9)
    with pytest.raises(ForgeError, match="a session waits 120 s at most"):
        hub.publish(REQUEST)
    assert pauses == [50.0, 50.0]


def test_an_answer_that_never_comes(forge, hub, pauses, monkeypatch):
    import httpx

    forge.fail("GET", "/pulls", delay=30, status=200, body=[], times=9)
    hub._client._kit.config.timeout.read = 0.1
    assert isinstance(hub._client._kit.config.timeout, httpx.Timeout)
    try:
        with pytest.raises(ForgeError, match=r"no answer in time; tried 5 times"):
            hub.publish(REQUEST)
    finally:
        hub._client._kit.config.timeout.read = 20.0


def test_an_answer_that_drips_for_ever(forge, hub, monkeypatch):
    monkeypatch.setattr(wire, "WHOLE_ANSWER_S", 0.2)
    forge.fail("GET", "/pulls", drip=0.05, status=200, body=[0] * 500, times=9)
    with pytest.raises(ForgeError, match=r"the answer takes too long; tried 5 times"):
        hub.publish(REQUEST)


def test_an_answer_without_end(forge, hub, monkeypatch):
    monkeypatch.setattr(wire, "MOST_BYTES", 1 << 20)
    forge.fail("GET", "/pulls", status=200, body=b"[" + b" " * (3 << 20) + b"]", times=9)
    with pytest.raises(ForgeError, match=r"the answer is larger than 1 MiB"):
        hub.publish(REQUEST)


def test_nobody_at_home(pauses):
    with running() as server:
        gone = make(server, pauses)
    with pytest.raises(ForgeError, match=r"the connection failed: .*refused; tried 5 times"):
        gone.publish(REQUEST)


# ------------------------------------------------------------------ refusals


def test_an_expired_token_is_one_line_and_tried_once(forge, pauses):
    hub = make(forge, pauses, token="ghp_expired" * 3)
    with pytest.raises(ForgeError) as caught:
        hub.publish(REQUEST)
    assert str(caught.value) == (
        "127.0.0.1/o/r: the token of TEST is not accepted (401 Bad credentials): it is expired, "
        "revoked or mistyped; make a new one and run the same command again"
    )
    assert len(forge.asked) == 1


def test_a_refusal_in_the_forges_own_words(forge, hub):
    forge.state.heads |= {"cockpit/1": COMMIT, "main": None}
    with pytest.raises(ForgeError) as caught:
        hub.publish(REQUEST)
    assert str(caught.value) == (
        "127.0.0.1/o/r: POST /repos/o/r/pulls: 422 Validation Failed; PullRequest base invalid; "
        "push main first, or set tool.cockpit.forge.base"
    )


def test_a_forge_without_drafts(forge, hub):
    said = "Draft pull requests are not supported in this repository."
    body = {"message": "Validation Failed", "errors": [{"message": said}]}
    forge.fail("POST", "/pulls", status=422, body=body)
    with pytest.raises(
        ForgeError, match=r"not supported .*; set tool\.cockpit\.forge\.draft = false"
    ):
        hub.publish(REQUEST)


def test_a_repository_that_is_not_there(forge, pauses):
    held = Patience(sleep=pauses.append)
    hub = GitHub(Endpoint("github", "h", forge.url, "o/other"), Token(TOKEN, "TEST"), held)
    with pytest.raises(ForgeError, match=r"no such thing \(404 Not Found\), or the token of TEST"):
        hub.publish(REQUEST)


def test_an_echo_of_the_token_is_masked_and_odd_characters_escaped(forge, hub):
    said = f"bad\x1b[31m\n{TOKEN}\ud800"
    forge.fail("GET", "/pulls", status=400, body={"message": said})
    with pytest.raises(ForgeError) as caught:
        hub.publish(REQUEST)
    text = str(caught.value)
    assert TOKEN not in text
    assert text.isprintable()
    assert r"bad\x1b[31m\n***" in text


def test_the_token_shows_itself_nowhere(hub):
    for thing in (
        hub,
        hub._client,
        hub._client._kit.auth,
        hub._client.wire,
        hub._client.wire.token,
    ):
        assert TOKEN not in repr(thing)
        assert TOKEN not in repr(getattr(thing, "__dict__", ""))


# ------------------------------------------------------------------ redirects


def test_a_redirect_to_another_host_never_carries_the_token(forge, hub):
    with running() as thief:
        thief.tokens = set()
        forge.fail("GET", "/pulls", status=302, headers={"Location": f"{thief.url}/steal"})
        with pytest.raises(
            ForgeError, match=r"leads to another host, 127\.0\.0\.1, where the token"
        ):
            hub.publish(REQUEST)
        assert thief.asked == []


def test_a_redirect_within_the_host_is_followed_for_questions(forge, hub):
    there = "/repos/o/r/pulls?state=all&head=o:cockpit/1&per_page=100&page=1"
    forge.fail("GET", "/pulls", status=301, headers={"Location": there})
    assert hub.publish(REQUEST).number == 1


def test_a_redirect_that_would_turn_a_post_into_a_question_is_refused(forge, hub):
    forge.fail("POST", "/pulls", status=301, headers={"Location": "/repos/o/r/pulls"})
    with pytest.raises(ForgeError, match=r"was renamed or moved; correct the remote"):
        hub.publish(REQUEST)
    assert numbers(forge) == []


@pytest.mark.parametrize("where", ["http://[", "https://x:99999999/", "ftp://127.0.0.1/"])
def test_a_redirect_to_nowhere(forge, hub, where):
    forge.fail("GET", "/pulls", status=302, headers={"Location": where}, times=9)
    with pytest.raises(ForgeError, match=r"leads to"):
        hub.publish(REQUEST)


def test_a_redirect_in_circles(forge, hub):
    forge.fail("GET", "/pulls", status=302, headers={"Location": "/repos/o/r/pulls"}, times=999)
    with pytest.raises(ForgeError, match=r"redirect"):
        hub.publish(REQUEST)


# ------------------------------------------------------------------ comments


def test_a_comment_is_updated_in_place(forge, hub):
    first = hub.comment(7, "dashboard", "one")
    second = hub.comment(7, "dashboard", "two")
    hub.comment(7, "other", "three")
    assert first == second
    assert [row["body"] for row in forge.state.comments] == [
        "<!-- pytest-cockpit:dashboard -->\ntwo",
        "<!-- pytest-cockpit:other -->\nthree",
    ]


def test_without_anew_only_an_earlier_comment_is_changed(forge, hub):
    assert hub.comment(7, "red", "x", anew=False) == ""
    assert forge.count("POST", ".*") == 0
    hub.comment(7, "red", "x")
    assert hub.comment(7, "red", "green again", anew=False)
    assert forge.state.comments[0]["body"].endswith("green again")


def test_nobody_elses_comment_is_touched(forge, hub):
    forge.state.add_comment(7, "<!-- pytest-cockpit:dashboard -->\nforged", "mallory")
    hub.comment(7, "dashboard", "ours")
    bodies = [row["body"].partition("\n")[2] for row in forge.state.comments]
    assert bodies == ["forged", "ours"]


def test_an_application_knows_its_own_comments(forge, pauses):
    forge.state.login = None
    forge.state.add_comment(7, "<!-- pytest-cockpit:dashboard -->\nforged", "mallory")
    hub = make(forge, pauses)
    hub.comment(7, "dashboard", "one")
    hub.comment(7, "dashboard", "two")
    bodies = [row["body"].partition("\n")[2] for row in forge.state.comments]
    assert bodies == ["forged", "two"]


def test_a_comment_beyond_the_first_page_is_found(forge, hub):
    hub.comment(7, "dashboard", "one")
    forge.state.comments[:0] = [forge.state.add_comment(7, "hello", "x") for _ in range(250)]
    hub.comment(7, "dashboard", "two")
    assert sum(row["body"].endswith("two") for row in forge.state.comments) == 1


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 502}, {"status": 201, "body": b"{"}])
def test_a_comment_whose_answer_was_lost_is_not_written_twice(forge, hub, fault):
    forge.fail("POST", "/issues/7/comments", after=True, **fault)
    hub.comment(7, "dashboard", "one")
    assert len(forge.state.comments) == 1


def test_a_long_comment_is_shortened(forge, hub):
    hub.comment(7, "dashboard", "😀" * 40_000)
    [row] = forge.state.comments
    assert len(row["body"].encode("utf-16-le")) // 2 <= 65_536
    assert row["body"].endswith("the rest is in the artifacts of the session*\n")


@pytest.mark.parametrize("key", ["", "a-->b", "A", "x" * 101, "a--b", "a\nb"])
def test_a_key_that_could_end_the_hidden_mark_is_refused(hub, forge, key):
    with pytest.raises(ForgeError, match="no key of a comment"):
        hub.comment(7, key, "text")
    assert forge.asked == []


# ------------------------------------------------------------------ verdicts


def test_a_persons_token_shows_statuses(forge, hub):
    hub.show(COMMIT, CHECK)
    hub.show(COMMIT, Check("cockpit/matriz", State.NEUTRAL, "no contracts here"))
    assert forge.state.shown(COMMIT) == {"cockpit/imports": "success", "cockpit/matriz": "success"}
    said = [row["description"] for row in forge.state.statuses]
    assert said == ["pass: 3 of 3 modules import", "not judged: no contracts here"]
    # That only applications may make check runs was found out once.
    assert forge.count("POST", "/check-runs") == 1


def test_the_same_verdict_is_not_shown_twice_and_another_takes_its_place(forge, hub):
    hub.show(COMMIT, CHECK)
    hub.show(COMMIT, CHECK)
    assert len(forge.state.statuses) == 1
    hub.show(COMMIT, Check(CHECK.name, State.FAILURE, "fail"))
    assert forge.state.shown(COMMIT) == {CHECK.name: "failure"}
    hub.show(COMMIT, CHECK)
    assert forge.state.shown(COMMIT) == {CHECK.name: "success"}


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 500}, {"status": 201, "body": b"["}])
def test_a_status_whose_answer_was_lost_is_shown_once(forge, hub, fault):
    forge.fail("POST", "/statuses/.*", after=True, **fault)
    hub.show(COMMIT, CHECK)
    assert len(forge.state.statuses) == 1


def test_a_long_description_is_cut(forge, hub):
    hub.show(COMMIT, Check("c", State.SUCCESS, "wörd\n" * 100))
    [row] = forge.state.statuses
    assert len(row["description"]) == 140
    assert row["description"].endswith("…")


def test_what_was_said_of_a_verdict_stands_where_nothing_more_is_known(forge, hub, pauses):
    bare = Check(CHECK.name, State.SUCCESS, "")
    hub.show(COMMIT, CHECK)
    hub.show(COMMIT, bare)
    assert [row["description"] for row in forge.state.statuses] == [CHECK.summary]
    hub.show(COMMIT, Check(CHECK.name, State.FAILURE, ""))
    assert forge.state.statuses[-1]["description"] == "failure"
    forge.state.login = None
    application = make(forge, pauses)
    application.show(COMMIT, CHECK)
    application.show(COMMIT, bare)
    assert len(forge.state.runs) == 1


def noted(count):
    return tuple(
        Annotation(
            f"a/{number}.py", number + 1, Level.WARNING, f"rule {number}", f"message {number}"
        )
        for number in range(count)
    )


@pytest.mark.parametrize("count", [0, 1, 50, 51, 125])
def test_an_application_shows_check_runs_with_all_noted(forge, pauses, count):
    forge.state.login = None
    check = Check("cockpit/imports", State.FAILURE, "fail: 2", "details", noted(count))
    make(forge, pauses).show(COMMIT, check)
    [run] = forge.state.runs
    assert (run["name"], run["conclusion"], run["head_sha"]) == (check.name, "failure", COMMIT)
    assert run["output"]["text"] == "details"
    shown = forge.state.annotations[run["id"]]
    assert [item["path"] for item in shown] == [item.path for item in check.annotations]
    # Again: nothing is added.
    make(forge, pauses).show(COMMIT, check)
    assert len(forge.state.runs) == 1
    assert len(shown) == count


@pytest.mark.parametrize("method, path", [("POST", "/check-runs"), ("PATCH", "/check-runs/.*")])
@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 502}, {"status": 200, "body": b"{"}])
def test_annotations_whose_answer_was_lost_come_once(forge, pauses, method, path, fault):
    forge.state.login = None
    forge.fail(method, path, after=True, **fault)
    make(forge, pauses).show(COMMIT, Check("c", State.SUCCESS, "s", "", noted(125)))
    [run] = forge.state.runs
    assert len(forge.state.annotations[run["id"]]) == 125


def test_a_check_run_that_goes_on_is_told_apart_from_one_that_ended(forge, pauses):
    forge.state.login = None
    hub = make(forge, pauses)
    hub.show(COMMIT, Check("c", State.PENDING, "running"))
    assert (forge.state.runs[0]["status"], forge.state.runs[0]["conclusion"]) == (
        "in_progress",
        None,
    )
    hub.show(COMMIT, Check("c", State.NEUTRAL, "nothing to judge"))
    assert forge.state.shown(COMMIT) == {"c": "neutral"}


def test_a_huge_text_is_shortened(forge, pauses):
    forge.state.login = None
    make(forge, pauses).show(COMMIT, Check("c", State.SUCCESS, "s" * 70_000, "t\n" * 70_000))
    output = forge.state.runs[0]["output"]
    assert len(output["summary"]) <= 65_535
    assert len(output["text"]) <= 65_535
    assert len(output["title"]) <= 255


def test_a_verdict_of_an_unknown_commit_or_without_rights_is_an_error(forge, hub):
    forge.fail("POST", "/statuses/.*", status=403, body={"message": "Resource not accessible"})
    with pytest.raises(ForgeError, match=r"the token may not \(403 Resource not accessible\)"):
        hub.show(COMMIT, CHECK)


# ------------------------------------------------------------------ rights


@pytest.mark.parametrize("answer", [True, False, None])
def test_whether_it_may_push(forge, hub, answer):
    forge.state.may_push = answer
    assert hub.may_push() is answer


def test_labels_of_the_repository_and_of_a_pull_request(forge, hub):
    forge.state.labels = [f"label {number}" for number in range(150)]
    hub.publish(REQUEST)
    assert len(hub.labels()) == 151
    assert hub.labels_of(1) == ("promotion",)


OPEN = Policy((), 0, up_to_date=False, pushes=True, force_pushes=True)


def test_a_branch_without_any_protection(hub):
    assert hub.policy("main") == OPEN


def protected(**more):
    return {
        "required_status_checks": {"strict": True, "contexts": ["ci", "cockpit"], "checks": []},
        "required_pull_request_reviews": {
            "dismiss_stale_reviews": False,
            "require_code_owner_reviews": False,
            "required_approving_review_count": 2,
        },
        "enforce_admins": {"url": "https://api.github.com/x", "enabled": True},
        "allow_force_pushes": {"enabled": False},
        **more,
    }


def test_classic_protection(forge, hub):
    forge.state.protection["main"] = protected()
    assert hub.policy("main") == Policy(
        ("ci", "cockpit"), 2, up_to_date=True, pushes=False, force_pushes=False
    )


def test_administrators_who_are_exempt_may_push(forge, hub):
    off = {"url": "https://api.github.com/x", "enabled": False}
    forge.state.protection["main"] = protected(enforce_admins=off)
    assert hub.policy("main").pushes


def rule(kind, **parameters):
    made = {"type": kind, "ruleset_source_type": "Repository", "ruleset_source": "o/r"}
    return {**made, "ruleset_id": 1, **({"parameters": parameters} if parameters else {})}


def test_rulesets_and_a_merge_queue(forge, hub):
    forge.state.rules["release/1"] = [
        rule(
            "required_status_checks",
            strict_required_status_checks_policy=False,
            required_status_checks=[{"context": "cockpit"}],
        ),
        rule(
            "pull_request",
            dismiss_stale_reviews_on_push=True,
            require_code_owner_review=False,
            require_last_push_approval=False,
            required_approving_review_count=1,
            required_review_thread_resolution=False,
        ),
        rule("non_fast_forward"),
        rule("merge_queue"),
    ]
    assert hub.policy("release/1") == Policy(
        ("cockpit",), 1, up_to_date=True, pushes=False, force_pushes=False
    )
    assert hub.policy("main") == OPEN


@pytest.mark.parametrize("hidden", ["may_see_protection", "may_see_rules"])
def test_a_policy_that_may_not_be_seen_is_unknown(forge, hub, hidden):
    setattr(forge.state, hidden, False)
    assert hub.policy("main") is None


def test_a_policy_that_cannot_be_had_is_an_error_and_not_unknown(forge, hub):
    forge.fail("GET", "/rules/.*", status=500, times=99)
    with pytest.raises(ForgeError, match="tried 5 times"):
        hub.policy("main")


# ------------------------------------------------------------------ the server itself


def test_the_server_sees_a_request_that_github_would_not_take():
    import httpx

    server = ForgeServer()
    server.start()
    try:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        bad = httpx.post(f"{server.url}/repos/o/r/pulls", json={"head": "x"}, headers=headers)
        odd = httpx.get(f"{server.url}/repos/o/r/nothing", headers=headers)
    finally:
        server.stop()
    assert (bad.status_code, odd.status_code) == (422, 422)
    assert "'base' is a required property" in server.violations[0]
    assert len(server.violations) == 2
