"""`auto_t5_guarded`: algorithm-based fault tolerance."""
