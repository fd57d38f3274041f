"""A small collection of texts about three things, with vectors that say so."""

from __future__ import annotations

import random

import numpy as np

ABOUT = {
    "pets": ("cat", "dog", "fur", "vet", "the", "of"),
    "water": ("lake", "river", "swim", "fish", "the", "of"),
    "茶": ("绿茶", "红茶", "茶杯", "泡茶", "我们", "今天"),
}


def collection(each: int = 30, seed: int = 0) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return texts, their vectors (N, 8), and which of the three each is about (N)."""
    draw, numbers = random.Random(seed), np.random.default_rng(seed)
    centers_3E = np.eye(8)[:3]
    about_N = np.repeat(np.arange(3), [each + 2, each + 1, each])
    texts = []
    for place, about in enumerate(about_N):
        words = draw.choices(list(ABOUT.values())[about], k=12)
        texts.append(f"{'，'.join(words) if about == 2 else ' '.join(words)} {place}")
    vectors_NE = centers_3E[about_N] + 0.1 * numbers.normal(size=(len(about_N), 8))
    return texts, vectors_NE.astype(np.float32), about_N
