"""The position-wise feed-forward layer, plain and gated."""

from __future__ import annotations

from torch import Tensor, nn

from manyheads.core.dropout import Dropout
from manyheads.core.spec import Activation, FeedForwardSpec


def make_activation(activation: Activation) -> nn.Module:
    """Return the pointwise module of an activation."""
    match activation:
        case Activation.GELU:
            return nn.GELU()
        case Activation.GELU_TANH:
            return nn.GELU(approximate="tanh")
        case Activation.RELU:
            return nn.ReLU()
        case Activation.SILU:
            return nn.SiLU()
        case Activation.TANH:
            return nn.Tanh()


class FeedForward(nn.Module):
    """(T, D) → (T, D): down(act(up(x))) (Vaswani et al. 2017, section 3.3)."""

    def __init__(self, spec: FeedForwardSpec, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, spec.width, bias=spec.bias)
        self.activation = make_activation(spec.activation)
        self.dropout = Dropout(spec.dropout)
        self.down = nn.Linear(spec.width, width, bias=spec.bias)
        self.out_dropout = Dropout(spec.out_dropout)

    def forward(self, x_TD: Tensor) -> Tensor:
        """Return the transformed tokens (T, D), without the residual."""
        inner_TF = self.activation(self.up(x_TD))
        return self.out_dropout(self.down(self.dropout(inner_TF)))


class GatedFeedForward(FeedForward):
    """(T, D) → (T, D): down(act(a) * b) with [a, b] = up(x) (Shazeer 2020, GLU variants)."""

    def __init__(self, spec: FeedForwardSpec, width: int) -> None:
        super().__init__(spec, width)
        self.up = nn.Linear(width, 2 * spec.width, bias=spec.bias)

    def forward(self, x_TD: Tensor) -> Tensor:
        """Return the transformed tokens (T, D), without the residual."""
        activated_TF, linear_TF = self.up(x_TD).chunk(2, dim=-1)
        inner_TF = self.activation(activated_TF) * linear_TF
        return self.out_dropout(self.down(self.dropout(inner_TF)))


def make_feedforward(spec: FeedForwardSpec, width: int) -> FeedForward:
    """Return the feed-forward layer that `spec` describes."""
    return GatedFeedForward(spec, width) if spec.gated else FeedForward(spec, width)
