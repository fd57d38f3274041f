"""Pages of results: one file of HTML each, without scripts, that needs no other file."""
