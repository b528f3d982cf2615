"""What git sees of the artifacts of a repository that was never prepared for them."""

from __future__ import annotations

import pytest

from pytest_cockpit.config import Config
from pytest_cockpit.sessions.settings import artifacts_folder


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_all_of_a_repository_is_added_without_its_artifacts(make_repository, there):
    made = make_repository({})
    if there:
        (made.root / "artifacts").mkdir()
    folder = artifacts_folder(made.root, Config())
    for name in ("session.gates.json", "promotion_log.md"):
        (folder / name).write_text("{}\n")
    made.git("add", "--all")
    assert made.git("ls-files").split() == ["artifacts/.gitignore", "artifacts/promotion_log.md"]


def test_a_folder_with_files_of_its_own_is_left_as_it_is(tmp_path):
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/ours.txt").write_text("x")
    folder = artifacts_folder(tmp_path, Config())
    assert [path.name for path in folder.iterdir()] == ["ours.txt"]
