from __future__ import annotations

import dataclasses

from pytest_cockpit.promotion import message
from pytest_cockpit.promotion.burst import Checkpoint, Done, Options, Progress

OID = "ab" * 20


def test_the_pages_of_gates_keep_their_code_and_lose_no_level():
    page = "# Title\n\nText # here.\n\n```python\n# a comment\n```\n\n## Part\n"
    assert message._below({"a": page}) == (
        "### Title\n\nText # here.\n\n```python\n# a comment\n```\n\n#### Part\n\n"
    )


def test_a_page_is_never_longer_than_a_comment_has_room_for():
    long = {"a": "x" * 50_000, "b": "é and é\n" * 5_000, "c": "y"}
    told = message._below(long)
    assert len(told) < 33_000
    assert told.endswith("\n\ny\n\n")


def test_a_page_is_cut_between_its_lines_and_ends_what_it_began():
    rows = "".join(f"row {number:05}\n" for number in range(5_000))
    told = message._below({"a": f"# All\n\n<details>\n\n```text\n{rows}```\n\n</details>\n"})
    kept, _, end = told.partition("\n```\n")
    assert kept.splitlines()[-1] == f"row {len(kept.splitlines()) - 6:05}"
    assert end.startswith("\n</details>\n\n*")
    assert "more lines: the gate's page among the session's artifacts has them" in end


def test_a_burst_is_told_with_its_batches_and_checkpoints():
    progress = Progress(
        burst_id="1234567-12345678",
        base=OID,
        branch="refs/heads/cockpit/burst-x",
        settings_sha256="cd" * 32,
        options=Options(100, 50, 8, 100),
        lane=300,
        batches=(
            Done(1, "1111111-11111111", "ef" * 32, OID, 50),
            Done(2, "2222222-22222222", "ef" * 32, OID, 50),
        ),
        checkpoints=(
            Checkpoint(1, OID, 100, {"imports": "pass", "slow": "warn"}, {"slow": "one | two"}),
        ),
    )
    body = message.burst_body(progress, {"slow": "# Slow\n\nAll.\n"})
    assert "100 files of 100 in 2 commits" in body
    assert "200 files of 300 remain in the lane" in body
    last = message.burst_body(dataclasses.replace(progress, lane=101), {})
    assert "1 file of 101 remains in the lane" in last
    assert "| 2 | 2222222-22222222 | 50 | abababababab |" in body
    assert "| checkpoint | files | commit | imports | slow |" in body
    assert "| 1 | 100 | abababababab | pass | warn |" in body
    assert r"- slow: one \| two" in body
    assert "### Slow" in body
