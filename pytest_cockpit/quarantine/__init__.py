"""Tests in quarantine: known to fail, answered for by somebody, until a day.

`apart`, `marks`, `observer` and `runtime` need nothing of ours but each other, so that they can be
copied into the path of an interpreter that this package is not installed in.
"""
