"""What runs in the interpreter of the tree under judgement; nothing here imports this package."""
