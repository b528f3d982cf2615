"""What runs in the interpreter of the repository under judgement, not in our own.

The modules here need coverage and pluggy alone. Their folder is put on that interpreter's
path, or they are started by file name; nothing imports them as part of this package at run time.
"""
