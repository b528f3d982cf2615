"""`auto_t3_controlled`: an online selector over kernel variants."""
