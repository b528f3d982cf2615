"""`auto_t5_guarded`: algorithm-based fault tolerance.

`session.run_session`, `overhead.overhead` and `faults.recall` are what a worker asks for; `policy`
needs no NumPy.
"""
