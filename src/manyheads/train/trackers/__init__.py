"""Who keeps the curves of many runs."""
