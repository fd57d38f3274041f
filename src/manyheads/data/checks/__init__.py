"""What to know and to mend in data before training."""
