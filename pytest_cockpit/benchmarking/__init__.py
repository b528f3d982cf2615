"""Benchmarks of modules: measured in processes of their own, recorded, judged."""
