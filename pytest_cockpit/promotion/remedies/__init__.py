"""A patch plan computed from what gates found: which file, which change, because of what.

Each rule that has more to offer than its finding's remedy has a small function from the finding
and the facts of the tree to an action. What no function knows keeps its remedy, marked as such.
"""
