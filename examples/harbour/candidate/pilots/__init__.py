"""Those who bring the ships in."""
