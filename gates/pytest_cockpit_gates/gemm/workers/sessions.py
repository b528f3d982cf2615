"""One session of a kernel: a fixed one, the selector's, or the guarded one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit_gates.gemm.abft import policy as guarding
from pytest_cockpit_gates.gemm.abft import session as abft
from pytest_cockpit_gates.gemm.control import policy as controlling
from pytest_cockpit_gates.gemm.control import session as control
from pytest_cockpit_gates.gemm.kernels import table
from pytest_cockpit_gates.gemm.kernels.device import Device
from pytest_cockpit_gates.gemm.workers.ops import Policy
from pytest_cockpit_gates.gemm.workers.products import Product, described


@dataclass(frozen=True, slots=True)
class Session:
    """What is to be measured: so many iterations of a product."""

    device: Device
    product: Product
    iterations: int


def fixed(session: Session) -> dict[str, Any]:
    """A session of one variant; the first product warms up, and is no part of the times."""
    session.product.run()
    timings = [session.product.run() for _ in range(session.iterations)]
    return {
        "wall_s": [it.wall_s for it in timings],
        "cpu_s": [it.cpu_s for it in timings],
        **session.product.verdict(),
        "t3": None,
        "t5": None,
    }


def controlled(session: Session, policy: Policy, folder: Path) -> dict[str, Any]:
    """A session of the selector, whose knowledge is in `folder`.

    Raises
    ------
    CockpitError: the policy is none, or the knowledge cannot be kept.
    """
    product, shape = session.product, session.product.shape
    result = control.run_session(
        session.device,
        table.load(),
        product.operands,
        session.iterations,
        controlling.policy_of(policy),
        state_folder=folder,
        seed=shape.seed,
        alpha=shape.alpha,
        beta=shape.beta,
        before=product.before,
        look=product.look,
    )
    return {
        "wall_s": result.wall_s,
        "cpu_s": result.cpu_s,
        **product.verdict(),
        "variant": described(result.variant),
        "t3": result.to_json(),
        "t5": None,
    }


def guarded(session: Session, policy: Policy) -> dict[str, Any]:
    """A session of the guarded kernel.

    Raises
    ------
    CockpitError: the policy is none.
    """
    product, shape = session.product, session.product.shape
    result = abft.run_session(
        product.gemm,
        product.operands,
        session.iterations,
        guarding.policy_of(policy),
        seed=shape.seed,
        alpha=shape.alpha,
        beta=shape.beta,
        before=product.before,
        look=product.look,
        fault=product.fault,
    )
    return {
        "wall_s": result.wall_s,
        "cpu_s": result.cpu_s,
        **product.verdict(),
        "t3": None,
        "t5": result.to_json(),
    }
