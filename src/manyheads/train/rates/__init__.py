"""Learning rates: found by short runs, or by one in which the rate grows."""
