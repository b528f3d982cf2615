"""Parts of a batch on real repositories: what is known of the whole saves work and changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cockpit import config
from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.batch import Batch
from pytest_cockpit.promotion.isolation import nearby
from pytest_cockpit.promotion.isolation.units import Units
from pytest_cockpit.promotion.selector import make_plan
from pytest_cockpit.sessions.gating import Bench
from pytest_cockpit.sessions.parting import Parts

FILES = {
    "cockpit.toml": 'gates = ["ledger"]\n',
    "app.py": "import candidate.deck.a\nfrom candidate.deck import b, e as other\n",
    "lazy.py": "import importlib\n\nM = importlib.import_module('candidate.deck.c')\n",
    "setup.cfg": "[options]\nentry = candidate.deck.d:f\n",
    "README.md": "candidate/deck/b.py and candidate.loose\n",
    "tests/test_deck.py": (
        "from unittest import mock\n\nimport candidate.deck.d as d\n\n\n"
        "def test():\n    with mock.patch('candidate.deck.d.f'):\n        d.f()\n"
    ),
    "candidate/__init__.py": "",
    "candidate/loose.py": "from .deck import a\n",
    "candidate/deck/__init__.py": "from .e import e\n",
    "candidate/deck/a.py": "from . import b\n",
    "candidate/deck/b.py": "",
    "candidate/deck/c.py": "from candidate.deck import d\nfrom candidate.deck.e import e\n",
    "candidate/deck/d.py": "def f():\n    from .a import b\n    return b\n",
    "candidate/deck/e.py": "def e():\n    pass\n",
    "candidate/stays.py": "from candidate.deck import (a, c)\nimport nowhere_at_all.candidate\nx = (\n",
}


@pytest.fixture
def parts(make_repository):
    repository = Repository.discover(make_repository(FILES).root)
    chosen = config.load(repository.root)
    return Parts(
        Bench.of(repository, chosen), Batch(repository, chosen, make_plan(repository, chosen))
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_part_is_what_a_batch_of_its_files_would_be(parts, data):
    bench, batch = parts.bench, parts.batch
    sources = [move.source for move in batch.moves]
    needs = nearby.needs(bench.repository, bench.settings.lane, batch.base, sources)
    units = Units.of(needs)
    chosen = data.draw(st.sets(st.sampled_from(sorted(units.all)), min_size=1))
    files = units.files(frozenset().union(*map(units.alone, chosen)))
    judged = parts.judged(None, files, ())
    plan = make_plan(bench.repository, bench.settings, only=files)
    assert parts.plan(files).to_bytes() == plan.to_bytes()
    whole = Batch(bench.repository, bench.settings, plan).stage()
    assert judged.tree == bench.repository.tree(whole.commit)


def test_what_cannot_move_alone_is_refused(parts):
    with pytest.raises(CockpitError, match=r"b\.py: cannot be judged apart from the rest"):
        parts.plan(["candidate/deck/a.py"])


def test_no_files_at_all_are_the_base(parts):
    judged = parts.judged(None, (), ())
    assert judged.tree == parts.bench.repository.tree(parts.batch.base)
