"""Statistics that need no distribution to be assumed: intervals, limits and steps."""
