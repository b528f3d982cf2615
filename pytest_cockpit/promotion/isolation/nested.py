"""The optimal nested plan of group testing, for risks that need not be equal.

The procedure is R1 of M. Sobel and P. A. Groll, "Group testing to eliminate efficiently all
defectives in a binomial sample", Bell System Technical Journal 38 (1959). Units are binomial
(each defective by its own risk, independently) but for at most one *contaminated* set, which is
known to hold at least one defective unit. While there is one, the next group is a part of it:
green leaves the rest of it contaminated, red makes the group the contaminated set and returns the
rest of it to the binomial units. Sobel and Groll give a recursion in two indices for equal risks.

Here the units stand in a fixed order and every group is the next few of them. A contaminated set
then always ends with its first defective unit found, all before it seen green and all after it
binomial again, whatever groups were chosen on the way. So what remains afterwards does not depend
on how the unit was found (F. K. Hwang, "An optimal nested procedure in binomial group testing",
Biometrics 32 (1976)), and the two costs part:

- Finding the first defective unit of `i..j-1` is a binary tree over those units in their order,
  with weight `Q(i,k) p(k)` on unit `k`, where `Q(i,k)` is the chance that `i..k-1` are good: an
  optimal alphabetic tree. With weights counted from `i`, so that nothing underflows,
  `E(i,j) = 1 - Q(i,j) + min over k of E(i,k) + Q(i,k) E(k,j)`. The best `k` grows with both `i`
  and `j` (D. E. Knuth, "Optimum binary search trees", Acta Informatica 1 (1971); F. F. Yao, STOC
  1980), which leaves a constant number of candidates for each interval in the mean.
- From `i` on, nothing known, the group `i..j-1` costs
  `H(i) = 1 + Q(i,j) H(j) + E(i,j) + sum over k of Q(i,k) p(k) H(k+1)`, least over `j`.

Splitting a tree at its root halves the posterior mass as nearly as the order and the depths below
allow; a good unit is never cleared by inference, only by a green verdict. For equal risks `H` is
R1's expectation exactly. For unequal risks it is the optimum among nested plans of that order.
The order is the caller's, see `units`; 400 units take about 50 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from math import exp, log1p

_LEAST, _MOST = 1e-6, 0.999
_EPSILON = 1e-12


def bounded(risk: float) -> float:
    """A risk that a plan can be made with: nothing is certain before it was tested."""
    return min(max(risk, _LEAST), _MOST)


class Nested:
    """The plan over units in their order; positions count from 0.

    A plan holds for every suffix of its order, so one is enough until order or risks change.
    """

    def __init__(self, risks: Sequence[float]) -> None:
        self.risks = tuple(map(bounded, risks))
        count = len(self.risks)
        logs = [0.0]
        for risk in self.risks:
            logs.append(logs[-1] + log1p(-risk))
        # All three by start and width; `_good` is Q above, `_trees` E.
        self._good = [[exp(log - logs[at]) for log in logs[at:]] for at in range(count)]
        self._trees: list[list[float]] = []
        self._roots: list[list[int]] = []
        self._find_trees()
        self._costs = [0.0] * (count + 1)
        self._groups = [0] * count
        for at in reversed(range(count)):
            self._groups[at], self._costs[at] = self._best_group(at)

    def group(self, at: int) -> int:
        """How many of the units from `at` on to test together when nothing is known of them."""
        return self._groups[at]

    def split(self, at: int, width: int) -> int:
        """How many of `width` contaminated units from `at` on to test next; `width` is above 1."""
        return self._roots[at][width]

    def expected(self, at: int = 0, contaminated: int = 0) -> float:
        """The sessions expected for all units from `at` on, with so many of them contaminated."""
        if not contaminated:
            return self._costs[at]
        good = self._good[at]
        found = self._trees[at][contaminated] + sum(
            good[width] * self.risks[at + width] * self._costs[at + width + 1]
            for width in range(contaminated)
        )
        return found / (1 - good[contaminated])

    @cached_property
    def expected_greens(self) -> float:
        """How many of the sessions expected for all units are of trees without a defect."""
        count = len(self.risks)
        greens = [0.0] * (count + 1)
        for at in reversed(range(count)):
            good, width = self._good[at], self._groups[at]
            greens[at] = good[width] * (1 + greens[at + width]) + self._tree_greens(at, width)
            greens[at] += sum(
                good[step] * self.risks[at + step] * greens[at + step + 1] for step in range(width)
            )
        return greens[0]

    def _tree_greens(self, at: int, width: int) -> float:
        """Expected green verdicts on the way to the first defective unit of an interval."""
        total, pending = 0.0, [(1.0, at, width)]
        while pending:
            chance, start, span = pending.pop()
            if span > 1:
                left = self._roots[start][span]
                beyond = chance * self._good[start][left]
                total += beyond * (1 - self._good[start + left][span - left])
                pending += [(chance, start, left), (beyond, start + left, span - left)]
        return total

    def _find_trees(self) -> None:
        count = len(self.risks)
        self._trees = [[0.0] * (count - at + 1) for at in range(count)]
        self._roots = [[1] * (count - at + 1) for at in range(count)]
        for at in reversed(range(count)):
            trees, roots, good = self._trees[at], self._roots[at], self._good[at]
            for width in range(2, count - at + 1):
                first = roots[width - 1]
                last = min(self._roots[at + 1][width - 1] + 1, width - 1)
                best = float("inf")
                for left in range(first, last + 1):
                    cost = trees[left] + good[left] * self._trees[at + left][width - left]
                    if cost < best:
                        best, roots[width] = cost, left
                trees[width] = best + 1 - good[width]

    def _best_group(self, at: int) -> tuple[int, float]:
        good, trees, costs = self._good[at], self._trees[at], self._costs
        best, chosen, after = float("inf"), 1, 0.0
        for width in range(1, len(good)):
            after += good[width - 1] * self.risks[at + width - 1] * costs[at + width]
            cost = 1 + good[width] * costs[at + width] + trees[width] + after
            if cost < best - _EPSILON:
                best, chosen = cost, width
        return chosen, best


@lru_cache(maxsize=4)
def nested(risks: tuple[float, ...]) -> Nested:
    """The plan for these risks; the last few are kept, for a search asks again and again."""
    return Nested(risks)
