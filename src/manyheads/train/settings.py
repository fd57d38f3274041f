"""The choices that a recipe offers besides plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from manyheads.errors import RecipeError
from manyheads.text.truncate import Head, HeadTail, Tail, Truncation, Windows
from manyheads.train.choice import Choice
from manyheads.train.early_stopping import EarlyStopping
from manyheads.train.schedule import (
    SGDR,
    Constant,
    Cosine,
    InverseSquareRoot,
    Linear,
    OneCycle,
)


class Precision(StrEnum):
    """The number format of the matrix products; weights and optimizer stay in float32."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Activations(StrEnum):
    """Whether what blocks compute is kept for the gradients, or computed a second time."""

    KEEP = "keep"
    RECOMPUTE = "recompute"


@dataclass(frozen=True, slots=True)
class Fraction:
    """A share, 0 to 1, of all updates of a run."""

    fraction: float

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise RecipeError(f"fraction={self.fraction} is outside 0 to 1")

    def of(self, total_steps: int) -> int:
        """Return this share of `total_steps` in whole updates."""
        return round(self.fraction * total_steps)


@dataclass(frozen=True, slots=True)
class Steps:
    """A number of updates."""

    steps: int

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise RecipeError(f"steps={self.steps} is negative; choose 0 or more")

    def of(self, total_steps: int) -> int:
        """Return the number of updates; raises `RecipeError` where the run has fewer."""
        if self.steps > total_steps:
            raise RecipeError(
                f"warmup={self.steps} steps exceeds the {total_steps} updates of this run; "
                "choose fewer, or a fraction such as 0.1"
            )
        return self.steps


@dataclass(frozen=True, slots=True)
class Seconds:
    """A span of wall-clock time."""

    seconds: float

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise RecipeError(f"seconds={self.seconds} is not positive")


@dataclass(frozen=True, slots=True)
class KeepHead:
    """Of a text that is too long, keep the beginning."""

    def within(self, max_tokens: int) -> Truncation:
        """Return the policy for at most `max_tokens` tokens, special tokens included."""
        return Head(max_tokens)


@dataclass(frozen=True, slots=True)
class KeepTail:
    """Of a text that is too long, keep the end."""

    def within(self, max_tokens: int) -> Truncation:
        """Return the policy for at most `max_tokens` tokens, special tokens included."""
        return Tail(max_tokens)


@dataclass(frozen=True, slots=True)
class KeepHeadTail:
    """Of a text that is too long, keep both ends (Sun et al., 2019, section 5.3.1)."""

    head_fraction: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.head_fraction <= 1:
            raise RecipeError(f"head_fraction={self.head_fraction} is outside 0 to 1")

    def within(self, max_tokens: int) -> Truncation:
        """Return the policy for at most `max_tokens` tokens, special tokens included."""
        return HeadTail(max_tokens, head_fraction=self.head_fraction)


@dataclass(frozen=True, slots=True)
class KeepWindows:
    """Keep all of a long text as windows that overlap by `stride` tokens."""

    stride: int = 32

    def __post_init__(self) -> None:
        if self.stride < 0:
            raise RecipeError(f"stride={self.stride} is negative; choose 0 or more")

    def within(self, max_tokens: int) -> Truncation:
        """Return the policy for at most `max_tokens` tokens, special tokens included."""
        return Windows(max_tokens, stride=self.stride)


@dataclass(frozen=True, slots=True)
class Free:
    """A share of the memory that is free when training begins: of the device, or the container."""

    share: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise RecipeError(f"share={self.share} is outside above 0 to 1")


@dataclass(frozen=True, slots=True)
class Gigabytes:
    """So much memory for all that training takes, of 10⁹ bytes each."""

    gigabytes: float

    def __post_init__(self) -> None:
        if not self.gigabytes > 0:
            raise RecipeError(f"gigabytes={self.gigabytes} is not above 0")


@dataclass(frozen=True, slots=True)
class LowRank:
    """Changes of low rank beside the linear layers whose names match (LoRA, Hu et al. 2022)."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    layers: tuple[str, ...] = ("*.attention.*",)

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise RecipeError(f"rank={self.rank} learns nothing; choose at least 1")
        if not 0 <= self.dropout < 1:
            raise RecipeError(f"dropout={self.dropout} is outside 0 to below 1")
        patterns = (self.layers,) if isinstance(self.layers, str) else tuple(self.layers)
        object.__setattr__(self, "layers", patterns)


@dataclass(frozen=True, slots=True)
class HeadOnly:
    """The head alone; the body stays as it was published."""


@dataclass(frozen=True, slots=True)
class Biases:
    """The biases of the body, and the head (BitFit, Ben Zaken, Goldberg & Ravfogel 2022)."""


@dataclass(frozen=True, slots=True)
class Gradual:
    """First the head, then one more layer from the top at each epoch (Howard & Ruder 2018)."""


Warmup = Fraction | Steps
Interval = Steps | Seconds
Memory = Free | Gigabytes
Adaptation = LowRank | HeadOnly | Biases | Gradual
Keep = KeepHead | KeepTail | KeepHeadTail | KeepWindows

SCHEDULES = Choice(
    {
        "constant": Constant,
        "linear": Linear,
        "cosine": Cosine,
        "one_cycle": OneCycle,
        "inverse_square_root": InverseSquareRoot,
        "sgdr": SGDR,
    }
)
TRUNCATIONS = Choice(
    {"head": KeepHead, "tail": KeepTail, "head_tail": KeepHeadTail, "windows": KeepWindows}
)
WARMUPS = Choice({"fraction": Fraction, "steps": Steps}, numbers={float: "fraction", int: "steps"})
INTERVALS = Choice({"steps": Steps, "seconds": Seconds}, numbers={int: "steps"})
MEMORIES = Choice(
    {"free": Free, "gigabytes": Gigabytes}, numbers={float: "gigabytes", int: "gigabytes"}
)
STOPPING = Choice({"early_stopping": EarlyStopping})
ADAPTATIONS = Choice(
    {"low_rank": LowRank, "head_only": HeadOnly, "biases": Biases, "gradual": Gradual}
)
