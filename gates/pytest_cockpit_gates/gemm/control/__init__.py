"""`auto_t3_controlled`: an online selector over kernel variants.

`session.run_session` is what a worker asks for; `policy` needs no NumPy.
"""
