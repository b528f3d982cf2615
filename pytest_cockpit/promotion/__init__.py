"""What is promoted, in which order, and how: plans, preflight, rewriting, the transaction."""
