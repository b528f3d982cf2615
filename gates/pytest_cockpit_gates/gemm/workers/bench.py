"""An opened device, what is kept on it between questions, and the operations themselves."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pytest_cockpit_gates.gemm.abft import faults, overhead
from pytest_cockpit_gates.gemm.abft import policy as guarding
from pytest_cockpit_gates.gemm.control import state
from pytest_cockpit_gates.gemm.kernels import ceilings, shader_cache, table, tuning
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels.shader_cache import Kept
from pytest_cockpit_gates.gemm.workers import caches, sessions
from pytest_cockpit_gates.gemm.workers.ops import Policy, Say
from pytest_cockpit_gates.gemm.workers.products import Product, Shape, choose
from pytest_cockpit_gates.gemm.workers.sessions import Session

_KEPT = 2
_GUARDED = "auto_t5_guarded"


class Bench:
    """The device of a worker. Methods `do_…` are what it can be asked.

    Parameters
    ----------
    poisoned: put a NaN into each result of the operation that comes.

    Raises
    ------
    CockpitError: the platform or its device is not there.
    """

    def __init__(self, platform: str) -> None:
        self._device = open_device(platform)
        self.info = self._device.info
        self.poisoned = False
        self._products: dict[tuple[Any, ...], Product] = {}

    def do_smoke(self, size: int = 128, seed: int = 1) -> dict[str, Any]:
        """Launch the static kernel and see that it is right.

        `shader_cache` tells whether the driver keeps what it compiled (`problem` is empty), and
        the `remedy` where it does not; null of a driver that does not compile at launches.
        """
        product = self._product("static", Shape(size, size, size, seed))
        try:
            timing = product.run()
            found = product.verdict()
            times = {"wall_s": timing.wall_s, "cpu_s": timing.cpu_s}
            kept = None if self._kept is None else asdict(self._kept)
            return {**found, "bound": found["error_bound"], **times, "shader_cache": kept}
        finally:
            product.free()

    def do_session(
        self,
        kernel: str,
        m: int,
        n: int,
        k: int,
        seed: int,
        iterations: int,
        alpha: float = 1.0,
        beta: float = 0.0,
        t3_policy: Policy = None,
        t5_policy: Policy = None,
        variant: str = "",
    ) -> dict[str, Any]:
        """Some iterations of one kernel, after one that warms up."""
        product = self._product(kernel, Shape(m, n, k, seed, alpha, beta), variant, t5_policy)
        session = Session(self._device, product, iterations)
        try:
            match kernel:
                case "auto_t3_controlled":
                    folder = caches.folder("selector", Path.cwd())
                    return sessions.controlled(session, t3_policy, folder)
                case "auto_t5_guarded":
                    return sessions.guarded(session, t5_policy)
                case _:
                    return sessions.fixed(session)
        finally:
            product.free()

    def do_sample(
        self,
        size: int,
        seed: int,
        kernel: str = "static",
        variant: str = "",
        t5_policy: Policy = None,
    ) -> dict[str, Any]:
        """One multiplication on operands that are kept: the first one warms up and is judged.

        The variant is fixed, for `auto_t3_controlled` too: platforms are compared by it, and not
        by what a selector happens to try.
        """
        key = (size, seed, kernel, variant, str(t5_policy), self.poisoned)
        product = self._products.pop(key, None)
        if product is None:
            while len(self._products) >= _KEPT:
                self._products.pop(next(iter(self._products))).free()
            product = self._product(kernel, Shape(size, size, size, seed), variant, t5_policy)
            product.run()
        self._products[key] = product
        timing = product.run()
        return {"wall_s": timing.wall_s, "cpu_s": timing.cpu_s, **product.verdict()}

    def do_pressure(self, size: int, iterations: int, seed: int) -> dict[str, Any]:
        """Multiplications for their load's sake, each of them judged all the same."""
        return self.do_session("static", size, size, size, seed, iterations)

    def do_tune(self, say: Say, sizes: list[int]) -> dict[str, Any]:
        """Measure the variants at each size, and keep the choices for later runs.

        The online selector begins anew: what it learned was held against the choices before.
        """
        entries = tuning.tune(self._device, sizes, say)
        table.save(entries)
        if state.forget(caches.folder("selector", Path.cwd()), self.info["fingerprint"]):
            say("what the online selector had learned is forgotten")
        return {
            "entries": [
                {
                    "size": it.m,
                    "variant": it.variant,
                    "source_sha256": it.sha256,
                    "gflops": it.gflops,
                }
                for it in entries
            ]
        }

    def do_overhead(
        self, size: int, pairs: int, seed: int, t5_policy: Policy = None
    ) -> dict[str, Any]:
        """The same product with and without the guard, in turns."""
        policy = guarding.policy_of(t5_policy)
        product = self._product("static", Shape(size, size, size, seed))
        try:
            product.run()
            found = overhead.overhead(product.gemm, product.operands, pairs, policy, seed=seed)
            return {**found.to_json(), "policy": policy.name, **product.verdict()}
        finally:
            product.free()

    def do_recall(
        self, size: int, injections: int, seed: int, t5_policy: Policy = None
    ) -> dict[str, Any]:
        """How many injected faults the deployed check finds, and how often it is wrong."""
        policy = guarding.policy_of(t5_policy)
        product = self._product("static", Shape(size, size, size, seed))
        try:
            product.run()
            found = faults.recall(product.gemm, product.operands, injections, policy, seed)
            return {**found.to_json(), "policy": policy.name, **product.verdict()}
        finally:
            product.free()

    def do_ceilings(self) -> dict[str, Any]:
        """What the device does at most: GFLOPS in registers, and GB/s of memory."""
        return asdict(ceilings.measure(self._device))

    @functools.cached_property
    def _kept(self) -> Kept | None:
        return shader_cache.probe(self._device)

    def _product(
        self, kernel: str, shape: Shape, variant: str = "", t5_policy: Policy = None
    ) -> Product:
        chosen = choose(self._device, table.load(), kernel, shape, variant)
        guard = guarding.policy_of(t5_policy) if kernel == _GUARDED else None
        return Product(self._device, chosen, shape, guard=guard, poisoned=self.poisoned)
