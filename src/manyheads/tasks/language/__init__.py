"""Language models: what comes next, and what is hidden."""
