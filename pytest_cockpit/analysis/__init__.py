"""Static facts of Python source: what is imported, from where, and what resists being moved.

Nothing here executes the code it reads, and nothing here speaks git or reads a work tree:
callers hand over bytes and paths.
"""
