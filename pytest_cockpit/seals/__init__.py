"""Ways to publish a batch's commit; each a module with its `Settings` and `seal`."""
