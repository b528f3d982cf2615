"""Rewards for saving a ship; waits for `harbour.insurance`, which nobody has written."""

from harbour.insurance import Policy

from harbour.money import shares


def reward(policy: Policy, saved_value: int, share: int = 12) -> int:
    """Cents for the salvors, never more than the ship is insured for."""
    return min(saved_value * share // 100, policy.sum_insured)


def divided(policy: Policy, saved_value: int, crews: dict[str, int]) -> dict[str, int]:
    """The reward among the crews by their hands."""
    parts = shares(reward(policy, saved_value), crews.values())
    return dict(zip(crews, parts, strict=True))
