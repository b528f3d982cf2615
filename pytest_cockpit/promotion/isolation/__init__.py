"""Which files of a red batch are to blame, in as few gate sessions as can be expected.

`search` decides what to test next and what follows from the verdict; it asks through
`driver.Isolation`, which a session drives and which survives being killed. `nested` has the plan,
`units` what can be tested apart, `attribution` where to look first, `trust` how often a red
verdict has to be seen, `sizing` how large the next batch should be.
"""
