"""What happens in a service, counted; who wants to know more overrides what it wants to know."""

from __future__ import annotations

from collections import Counter


class Watch:
    """Is told of everything that happens to questions and workers."""

    def __init__(self) -> None:
        self.batches = 0
        self.items = 0
        self.tokens = 0
        self.restarts = 0
        self.errors: Counter[str] = Counter()
        self.seconds_a_token = 0.0  # of a batch, lately

    def began(self, waited: float) -> None:
        """An item left its lane after so many seconds."""

    def first(self, waited: float) -> None:
        """The first piece of a text was there after so many seconds."""

    def done(self, items: int, tokens: int, seconds: float) -> None:
        """A batch was answered."""
        self.batches += 1
        self.items += items
        self.tokens += tokens
        if not tokens:
            return
        last, known = seconds / tokens, self.seconds_a_token
        self.seconds_a_token = last if not known else 0.9 * known + 0.1 * last

    def failed(self, error: Exception) -> None:
        """A question ended with an error, or was sent away."""
        self.errors[type(error).__name__] += 1

    def restarted(self) -> None:
        """A worker that ended is there again."""
        self.restarts += 1
