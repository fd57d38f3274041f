"""The same recipe several times: on other rows, or from other seeds."""
