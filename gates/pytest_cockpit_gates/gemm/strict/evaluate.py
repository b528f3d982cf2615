"""Strict evaluation: from an artifact and its policies to checks with verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.verdicts import Evaluation


def evaluate(
    artifact: Mapping[str, Any],
    policies: Policies,
    *,
    baseline: Mapping[str, Any] | None = None,
    demands: Demands | None = None,
) -> Evaluation:
    """Judge an artifact; nothing that lacks its evidence passes.

    Parameters
    ----------
    artifact: the parsed document, of a run of ours or an archived one.
    policies: the weekly policy and those of T3 and T5, each None where there is none.
    baseline: the artifact to compare with; None compares with nothing.
    """
    raise NotImplementedError
