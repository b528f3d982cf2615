"""The coverage sweep: every module's own tests, and which of the module's own lines they run."""
