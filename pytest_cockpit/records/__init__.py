"""What sessions leave behind: artifacts, ledgers, ratchets, and the schemas they answer to."""
