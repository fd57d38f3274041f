"""Many heads on one body, trained together."""
