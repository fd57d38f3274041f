"""From token ids to the first hidden states."""

from __future__ import annotations

from torch import Tensor, nn

from manyheads.core.dropout import Dropout
from manyheads.core.layout import Layout
from manyheads.core.norm import make_norm
from manyheads.core.position import PositionEmbedding
from manyheads.core.spec import EmbedSpec
from manyheads.errors import LayoutError


class Embedding(nn.Module):
    """dropout(norm(token + position + segment)), then a projection where widths differ."""

    def __init__(self, spec: EmbedSpec, width: int, own_table: bool = True) -> None:
        super().__init__()
        self.spec = spec
        self.tokens = nn.Embedding(spec.vocabulary, spec.width) if own_table else None
        self.positions = PositionEmbedding(spec.positions, spec.width) if spec.positions else None
        self.segments = nn.Embedding(spec.segments, spec.width) if spec.segments else None
        self.norm = make_norm(spec.norm, spec.width)
        self.dropout = Dropout(spec.dropout)
        self.project = nn.Linear(spec.width, width) if spec.width != width else nn.Identity()

    def forward(
        self,
        ids_T: Tensor,
        layout: Layout,
        segments_T: Tensor | None = None,
        table: nn.Embedding | None = None,
    ) -> Tensor:
        """Return hidden states (T, D) of ids (T); segment ids default to 0.

        Tokens are looked up in `table` where this embedding has none of its own.

        Raises `LayoutError` where ids and layout disagree or an id is outside its table.
        """
        layout.check(ids_T, "ids")
        _check_ids(ids_T, self.spec.vocabulary, "token")
        tokens = self.tokens or table
        assert tokens is not None
        hidden_TD = tokens(ids_T)
        if self.spec.scale != 1.0:
            hidden_TD = hidden_TD * self.spec.scale
        if self.positions is not None:
            hidden_TD = hidden_TD + self.positions(layout)
        if self.segments is not None:
            if segments_T is None:
                segments_T = ids_T.new_zeros(())
            else:
                layout.check(segments_T, "segments")
                _check_ids(segments_T, self.spec.segments, "segment")
            hidden_TD = hidden_TD + self.segments(segments_T)
        return self.project(self.dropout(self.norm(hidden_TD)))


def _check_ids(ids_T: Tensor, count: int, kind: str) -> None:
    # A wrong id is an opaque device assertion on GPU; there, asking would stall the stream.
    if ids_T.device.type != "cpu":
        return
    for wrong in map(int, ids_T.aminmax()):
        if not 0 <= wrong < count:
            raise LayoutError(
                f"{kind} id {wrong} is outside the {count} {kind}s of this model; "
                "use the tokenizer that belongs to it"
            )
