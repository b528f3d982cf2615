"""A module imported for real, alone in a process of its own."""

from __future__ import annotations

import pytest

from pytest_cockpit.promotion import importing

SAID = {
    "N = 1\n": None,
    "import sys\nprint('words')\nsys.stdout.close()\n": None,
    "raise ValueError('low tide')\n": "ValueError: low tide",
    "import sys\nsys.exit(0)\n": "its import ended the process",
    "import os\nos._exit(0)\n": "its import ended the process",
    "import sys\nsys.exit(3)\n": "its import ended with code 3",
    "import os\nos.kill(os.getpid(), 9)\n": "its import was killed by signal 9",
    "while True:\n    pass\n": "its import took longer than 1 s",
}


@pytest.mark.parametrize("code", SAID)
def test_only_an_import_that_comes_to_its_end_is_none_that_fails(tmp_path, code):
    path = tmp_path / "tide.py"
    path.write_text(code)
    limit = 1 if code.startswith("while") else 60
    said = importing.failure("tide", path, [tmp_path], cwd=tmp_path, timeout=limit)
    assert said == SAID[code]


def test_a_module_from_elsewhere_is_not_the_one_that_was_asked_for(tmp_path):
    path = tmp_path / "json.py"
    path.write_text("N = 1\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/tide.py").write_text("")
    said = importing.failure("tide", path, [tmp_path / "other"], cwd=tmp_path)
    assert said is not None
    assert said.startswith("was imported from ")
