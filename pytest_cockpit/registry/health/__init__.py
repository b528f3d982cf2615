"""How well a module is looked after: inputs with their evidence first, one number for display."""
