"""What runs in a child process; imports nothing of the package."""
