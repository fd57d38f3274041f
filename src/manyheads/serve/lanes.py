"""Which items go next: the oldest first, people before programs, none for ever last.

    interactive   a b c …      each lane holds, for each operation, its items by age
    bulk          A B C …      every fourth batch begins there while both wait

Nothing here waits or looks at a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from manyheads.serve.items import Item, Lane, Operation

_TURNS = 4  # of so many batches, one belongs to programs
_NEIGHBOURS = 256  # items among which similar lengths are looked for


class Turns:
    """Whose turn it is: people before programs, but now and then programs first."""

    def __init__(self) -> None:
        self._turn = 0

    def order(self) -> list[Lane]:
        """Return the lanes in the order in which the next ones are looked for."""
        lanes = list(Lane)
        return lanes[::-1] if self._turn == _TURNS - 1 else lanes

    def taken(self) -> None:
        """Let it be the next one's turn."""
        self._turn = (self._turn + 1) % _TURNS


class Lanes:
    """Items that wait."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, dict[Operation, deque[Item]]] = {lane: {} for lane in Lane}
        self._sealed: deque[list[Item]] = deque()
        self._turns = Turns()
        self._tokens = dict.fromkeys(Lane, 0)

    def __len__(self) -> int:
        return sum(1 for _ in self._all())

    def __bool__(self) -> bool:
        return next(self._all(), None) is not None

    def tokens(self, lane: Lane) -> int:
        """Return how many tokens wait in a lane."""
        return self._tokens[lane]

    def add(self, item: Item) -> None:
        """Let an item wait behind those of its lane."""
        waiting = self._lanes[item.lane].setdefault(item.question.operation, deque())
        waiting.append(item)
        self._tokens[item.lane] += item.tokens

    def seal(self, batch: Iterable[Item]) -> None:
        """Let items be the next batch, by themselves: they have waited already."""
        items = list(batch)
        self._sealed.append(items)
        for item in items:
            self._tokens[item.lane] += item.tokens

    def take(self, budget: int) -> list[Item]:
        """Return the next batch, of at most so many tokens unless one item has more.

        Empty where nobody waits. Items that nobody waits for any more are left out.
        """
        while self._sealed:
            sealed = self._sealed.popleft()
            self._left(sealed)
            if wanted := [item for item in sealed if item.is_wanted]:
                return wanted
        for lane in self._turns.order():
            if batch := self._take_of(self._lanes[lane], budget):
                self._turns.taken()
                return batch
        return []

    def drain(self) -> list[Item]:
        """Return all that wait, and let nobody wait any more."""
        items = list(self._all())
        self._sealed.clear()
        for lane in self._lanes.values():
            lane.clear()
        self._tokens = dict.fromkeys(Lane, 0)
        return items

    def _left(self, items: Iterable[Item]) -> None:
        for item in items:
            self._tokens[item.lane] -= item.tokens

    def _all(self) -> Iterator[Item]:
        for batch in self._sealed:
            yield from batch
        for lane in self._lanes.values():
            for waiting in lane.values():
                yield from waiting

    def _take_of(self, lane: dict[Operation, deque[Item]], budget: int) -> list[Item]:
        """Return items of one operation: the oldest of the lane, and others about as long."""
        while lane:
            operation = min(lane, key=lambda one: lane[one][0].since)
            waiting = lane[operation]
            near = [waiting.popleft() for _ in range(min(_NEIGHBOURS, len(waiting)))]
            wanted = [item for item in near if item.is_wanted]
            batch = _of_similar_length(wanted, budget)
            chosen = set(map(id, batch))
            self._left(item for item in near if id(item) in chosen or not item.is_wanted)
            waiting.extendleft(item for item in reversed(wanted) if id(item) not in chosen)
            if not waiting:
                del lane[operation]
            if batch:
                return batch
        return []


def _of_similar_length(items: list[Item], budget: int) -> list[Item]:
    """Return the first item, and those nearest to its length that there is room for."""
    if not items:
        return []
    first, *others = items
    batch, tokens = [first], first.tokens
    for item in sorted(others, key=lambda one: abs(one.tokens - first.tokens)):
        if tokens + item.tokens > budget:
            break
        batch.append(item)
        tokens += item.tokens
    return sorted(batch, key=lambda one: one.tokens)
