"""What is measured here and now for a verdict."""
