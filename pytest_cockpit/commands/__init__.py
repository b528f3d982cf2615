"""One module per group of commands; each registers its parsers and imports what it needs later."""
