"""Frozen dataclasses that describe a Transformer, layer by layer.

A family (`manyheads.families`) turns a published configuration into a `Spec`; `Transformer(spec)`
builds it. Nothing else decides how a model behaves: two models with equal specs are the same
function of their weights. Every layer has a description of its own, so that layers may differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from manyheads.core.mask import Full, Reach


class Activation(Enum):
    """The pointwise nonlinearity of a feed-forward layer or a head."""

    GELU = "gelu"  # x·Φ(x), Hendrycks & Gimpel 2016
    GELU_TANH = "gelu_tanh"  # its tanh approximation, as in the original BERT and GPT-2
    RELU = "relu"
    SILU = "silu"  # x·σ(x), "swish"
    TANH = "tanh"


class Pooling(Enum):
    """How the vectors of a sequence's tokens become one vector."""

    FIRST = "first"  # the first token, [CLS]
    MEAN = "mean"  # the mean over all tokens, special ones included
    MAX = "max"  # the largest value of each dimension
    LAST = "last"  # the last token: what decoders are asked for (Neelakantan et al. 2022)
    ROOT_MEAN = "root mean"  # the sum over √T (Universal Sentence Encoder, Cer et al. 2018)
    LATER_MORE = "later more"  # Σ i·hᵢ / Σ i with i from 1 (SGPT, Muennighoff 2022)


@dataclass(frozen=True)
class LayerNorm:
    """(x-μ)/√(σ²+ε)·γ+β with the biased variance (Ba, Kiros & Hinton 2016); β only with `bias`."""

    epsilon: float = 1e-12
    bias: bool = True


@dataclass(frozen=True)
class RMSNorm:
    """x/√(mean(x²)+ε)·γ: neither mean nor β (Zhang & Sennrich 2019)."""

    epsilon: float = 1e-6


Norm = LayerNorm | RMSNorm


@dataclass(frozen=True)
class NormSlots:
    """Where a sub-layer f is normalised: residual(x + after(f(before(x)))); empty means identity.

    Post-norm (Vaswani et al. 2017) fills `residual`, pre-norm (Xiong et al. 2020) fills `before`,
    the sandwich (Ding et al. 2021) fills `before` and `after`.
    """

    before: Norm | None = None
    after: Norm | None = None
    residual: Norm | None = None


@dataclass(frozen=True)
class LearnedPositions:
    """One trained vector for each position; token 0 uses row `offset` (RoBERTa starts at 2)."""

    count: int
    offset: int = 0


@dataclass(frozen=True)
class SinusoidalPositions:
    """PE[p,2i] = sin(p/10000^(2i/D)), PE[p,2i+1] = cos(the same angle) (Vaswani et al. 2017).

    With `halves`, all sines come before all cosines (Marian). Token 0 stands at `offset` (M2M-100
    starts at 2). With `closed`, the last pair's angle is p/10000 itself, as tensor2tensor had it:
    10000^(i/(D/2-1)) stands in place of 10000^(2i/D) (M2M-100).
    """

    count: int
    halves: bool = False
    offset: int = 0
    closed: bool = False


@dataclass(frozen=True)
class LinearScaling:
    """Positions divided by `factor` (Chen et al. 2023, position interpolation)."""

    factor: float


@dataclass(frozen=True)
class Llama3Scaling:
    """Slow rotations slowed down by `factor`, fast ones kept, those between interpolated.

    A pair is fast where it turns more than `high` times in `original` tokens, slow where it turns
    fewer than `low` times (Llama 3.1, Grattafiori et al. 2024, section 3.4.2).
    """

    factor: float
    low: float
    high: float
    original: int


@dataclass(frozen=True)
class Rotary:
    """Rotary positions (Su et al. 2021): pair i of a head turns by position · base^(-2i/K)."""

    base: float = 10_000.0
    scaling: LinearScaling | Llama3Scaling | None = None


@dataclass(frozen=True)
class Alibi:
    """Scores fall by a fixed slope of each head with the distance (Press, Smith & Lewis 2022)."""


@dataclass(frozen=True)
class RelativeBias:
    """T5's learned score bias for each head and bucket of distance (Raffel et al. 2020)."""

    buckets: int = 32
    max_distance: int = 128
    bidirectional: bool = True


@dataclass(frozen=True)
class AttentionSpec:
    """Multi-head attention: `heads` query heads over `kv_heads` key/value heads of `head_dim` each.

    `scale` multiplies the scores (1/√head_dim when None); `qk_norm` normalises each query and key
    over its head (Qwen3); `dropout` acts on the attention weights, `out_dropout` on the output of
    the last projection. With `global_projections`, the tokens that a `GlobalWindow` makes global
    have queries, keys and values of their own (Longformer).
    """

    heads: int
    head_dim: int
    kv_heads: int
    bias: bool = True
    out_bias: bool = True
    scale: float | None = None
    qk_norm: Norm | None = None
    rotary: Rotary | None = None
    reach: Reach = field(default_factory=Full)
    global_projections: bool = False
    dropout: float = 0.0
    out_dropout: float = 0.0


@dataclass(frozen=True)
class FeedForwardSpec:
    """down(act(up(x))), or with `gated` down(act(a) * b) where [a, b] = up(x) (Shazeer 2020).

    `dropout` acts before the down projection, `out_dropout` after it.
    """

    width: int
    activation: Activation = Activation.GELU
    gated: bool = False
    bias: bool = True
    dropout: float = 0.0
    out_dropout: float = 0.0


@dataclass(frozen=True)
class BlockSpec:
    """One layer: attention, feed-forward, and between them in a decoder that reads an encoder's
    output `cross` attention to it; each in its residual with its norms.
    """

    attention: AttentionSpec
    feedforward: FeedForwardSpec
    attention_norms: NormSlots
    feedforward_norms: NormSlots
    cross: AttentionSpec | None = None
    cross_norms: NormSlots = NormSlots()


@dataclass(frozen=True)
class StackSpec:
    """A stack of blocks, a norm and dropout at its end, and a score bias that all blocks share."""

    blocks: tuple[BlockSpec, ...]
    norm: Norm | None = None
    position_bias: RelativeBias | Alibi | None = None
    dropout: float = 0.0


@dataclass(frozen=True)
class PatchSpec:
    """Images of one size as tokens: patches without overlap, projected, behind a class token.

    Vision Transformer (Dosovitskiy et al. 2021, equation 1). Sizes are (height, width) in pixels.
    """

    channels: int
    image: tuple[int, int]
    size: tuple[int, int]

    @property
    def grid(self) -> tuple[int, int]:
        """The rows and columns of patches."""
        return self.image[0] // self.size[0], self.image[1] // self.size[1]

    @property
    def tokens(self) -> int:
        """The tokens of an image: its patches, and the class token before them."""
        rows, columns = self.grid
        return rows * columns + 1


@dataclass(frozen=True)
class EmbedSpec:
    """Token, position and segment vectors of size `width`, summed, normalised, dropped out.

    Token vectors are multiplied by `scale` (√D in Vaswani et al. 2017, section 3.4). Where `width`
    is not the model's (ELECTRA), a linear layer follows. With `patches`, tokens are made of images
    instead of ids, and the vocabulary is empty. With `norm_last`, dropout comes before the norm
    (BigBird).
    """

    vocabulary: int
    width: int
    positions: LearnedPositions | SinusoidalPositions | None = None
    segments: int = 0
    norm: Norm | None = None
    dropout: float = 0.0
    scale: float = 1.0
    patches: PatchSpec | None = None
    norm_last: bool = False


@dataclass(frozen=True)
class OutputSpec:
    """From hidden states to one score for each token of the vocabulary.

    `tied` projects by the table of token vectors (Press & Wolf 2017), after multiplying by `scale`.
    With `activation`, a dense layer, that activation and `norm` come first (BERT's masked tokens);
    ModernBERT's dense layer has no bias.
    """

    tied: bool = True
    bias: bool = False
    scale: float = 1.0
    activation: Activation | None = None
    norm: Norm | None = None
    dense_bias: bool = True


@dataclass(frozen=True)
class Spec:
    """A whole Transformer: an encoder, a decoder, or a decoder that reads an encoder's output.

    `max_tokens` is the longest sequence that its positions tell apart. A decoder behind an encoder
    has an embedding of its own (`target`), which looks tokens up in the encoder's table unless
    `two_tables` says that it does not.
    """

    width: int
    max_tokens: int
    embed: EmbedSpec
    encoder: StackSpec | None = None
    decoder: StackSpec | None = None
    target: EmbedSpec | None = None
    two_tables: bool = False
    output: OutputSpec | None = None


@dataclass(frozen=True)
class HeadSpec:
    """From tokens to one output row a sequence: pool, dense, activation, norm, projection.

    Dropout acts on the pooled vector (`pooled_dropout`) and before the last projection
    (`dropout`); an absent `dense` is skipped together with its activation and norm.
    """

    width: int
    pooling: Pooling = Pooling.FIRST
    dense: bool = True
    dense_bias: bool = True
    activation: Activation = Activation.TANH
    norm: Norm | None = None
    pooled_dropout: float = 0.0
    dropout: float = 0.0
