"""The gates that come with pytest-cockpit, one package each; none knows another."""
