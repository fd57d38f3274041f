"""How much memory a run will take, and how it fits into less."""
