"""Do time and memory of long texts grow linearly? Longformer and BigBird in float32 on CPU.

One text of 4,096 and one of 16,384 tokens go through layers of the published sizes (width 768, 12
heads, Longformer's window of 512, BigBird's blocks of 64), to predict and to learn; in learning,
forward and backward pass are timed. Weights are random, which changes no cost. Linear growth is 4
times the time, and 4 times the memory beyond what a text of 64 tokens takes.
"""

from __future__ import annotations

from statistics import median

import numpy as np
from harness import Contestant, Engine, Work, compare, threads

LAYERS = 2
SHORT, LONG = 4096, 16_384
NOTHING = 64  # tokens: what the process needs anyway
FAMILIES = {"Longformer": "longformer", "BigBird": "big_bird"}
MODES = ("predict", "learn")


def engine(family: str, mode: str, tokens: int) -> Engine:
    """Return the engine that reads one text of so many tokens."""

    def load() -> Work:
        import torch

        from manyheads.core.initialize import initialize
        from manyheads.core.layout import Layout
        from manyheads.core.transformer import Transformer
        from manyheads.families import FAMILIES as ALL

        torch.set_num_threads(threads())
        settings = {"num_hidden_layers": LAYERS, "max_position_embeddings": LONG + 2}
        model = Transformer(ALL[family].to_spec(settings | {"vocab_size": 1000}))
        initialize(model)
        layout = Layout([tokens])
        ids_T = torch.randint(1000, (tokens,), generator=torch.Generator().manual_seed(0))

        @torch.inference_mode()
        def predict() -> np.ndarray:
            return model.encode(ids_T, layout)[0].numpy()

        def learn() -> np.ndarray:
            model.zero_grad()
            hidden_TD = model.encode(ids_T, layout)
            hidden_TD.square().mean().backward()
            return hidden_TD[0].detach().numpy()

        model.train(mode == "learn")
        return learn if mode == "learn" else predict

    return load


def main() -> None:
    engines = {
        f"{name} {mode} {tokens}": engine(family, mode, tokens)
        for name, family in FAMILIES.items()
        for mode in MODES
        for tokens in (SHORT, LONG, NOTHING)
    }
    contestants = {one.name: one for one in compare(engines)}
    linear = LONG / SHORT
    print(f"\n{'growth, 1 is linear':26}{'time':>8}{'memory':>9}")
    for name in FAMILIES:
        for mode in MODES:
            short, long, nothing = (
                contestants.get(f"{name} {mode} {tokens}") for tokens in (SHORT, LONG, NOTHING)
            )
            if short and long and nothing:
                time, memory = growth(short, long, nothing)
                print(f"{name + ' ' + mode:26}{time / linear:7.2f}×{memory / linear:8.2f}×")


def growth(short: Contestant, long: Contestant, nothing: Contestant) -> tuple[float, float]:
    """Return how many times more time and memory the long text takes."""
    time = median(b / a for a, b in zip(short.seconds, long.seconds, strict=True))
    base = nothing.peak_megabytes
    return time, (long.peak_megabytes - base) / (short.peak_megabytes - base)


if __name__ == "__main__":
    main()
