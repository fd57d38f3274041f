"""Texts with vectors of their own, and an account of what became of each."""

from __future__ import annotations

import base64
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import manyheads as mh


class Ledger:
    """Knows the vector of each text, and counts what was answered."""

    def __init__(self, model: Path | str, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.own = mh.load(model)(self.texts)
        gaps = np.linalg.norm(self.own[1:] - self.own[:-1], axis=1)
        assert gaps.min() > 1e-3, "neighbours cannot be told apart"
        self.told: Counter[str] = Counter()
        self._lock = threading.Lock()

    def asked(self, rows: Sequence[int], lane: str = "interactive") -> dict[str, Any]:
        """Return a request for some texts."""
        return {"inputs": [self.texts[row] for row in rows], "encoding": "base64", "lane": lane}

    def check(self, rows: Sequence[int], answer: dict[str, Any]) -> None:
        """Write down an answer; every vector must be that of its own text."""
        items = answer["items"]
        assert len(items) == len(rows)
        with self._lock:
            for row, item in zip(rows, items, strict=True):
                if "error" in item:
                    self.told[item["error"]["type"]] += 1
                    continue
                vector = np.frombuffer(base64.b64decode(item["vector"]), "<f4")
                np.testing.assert_allclose(vector, self.own[row], atol=1e-4)
                self.told["answered"] += 1

    def note(self, outcome: str) -> None:
        """Write down what became of a text that was not answered."""
        with self._lock:
            self.told[outcome] += 1


def workers_of(process: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    children = Path(f"/proc/{process}/task/{process}/children")
    return [int(one) for one in children.read_text().split()]
