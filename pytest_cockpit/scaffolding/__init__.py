"""What a module is given from a template, and how far it drifted from it."""
