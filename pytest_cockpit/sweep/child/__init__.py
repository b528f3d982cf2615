"""What runs in the interpreter of the repository under measurement, not in our own.

The package `cockpit_sweep` is copied to where the measured processes find it, on other hosts too,
with the request beside it. It needs coverage and pytest, and pytest-xdist for several processes.
"""
