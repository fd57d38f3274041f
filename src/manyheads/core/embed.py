"""From token ids, or from images, to the first hidden states."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from manyheads.core.dropout import Dropout
from manyheads.core.layout import Layout
from manyheads.core.norm import make_norm
from manyheads.core.position import PositionEmbedding
from manyheads.core.spec import EmbedSpec, PatchSpec
from manyheads.errors import LayoutError


class Embedding(nn.Module):
    """dropout(norm(token + position + segment)), then a projection where widths differ.

    A token is a row of a table, or with `spec.patches` a patch of an image; the rest is the same.
    """

    def __init__(self, spec: EmbedSpec, width: int, own_table: bool = True) -> None:
        super().__init__()
        self.spec = spec
        self.patches = Patches(spec.patches, spec.width) if spec.patches else None
        has_table = own_table and spec.patches is None
        self.tokens = nn.Embedding(spec.vocabulary, spec.width) if has_table else None
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
        if segments_T is None:
            segments_T = ids_T.new_zeros(())
        elif self.segments is not None:
            layout.check(segments_T, "segments")
            _check_ids(segments_T, self.spec.segments, "segment")
        return self._placed(hidden_TD, layout, segments_T)

    def of_images(self, images_NCHW: Tensor) -> tuple[Tensor, Layout]:
        """Return hidden states (T, D) of N images, and where each image's tokens lie.

        Raises `LayoutError` for images of another size than the model's.
        """
        assert self.patches is not None, "this model reads no images"
        tokens_TD, layout = self.patches(images_NCHW)
        return self._placed(tokens_TD, layout), layout

    def _placed(
        self, hidden_TD: Tensor, layout: Layout, segments_T: Tensor | None = None
    ) -> Tensor:
        """Return tokens (T, D) with what says where they stand."""
        if self.positions is not None:
            hidden_TD = hidden_TD + self.positions(layout)
        if self.segments is not None and segments_T is not None:
            hidden_TD = hidden_TD + self.segments(segments_T)
        if self.spec.norm_last:
            return self.project(self.norm(self.dropout(hidden_TD)))
        return self.project(self.dropout(self.norm(hidden_TD)))


class Patches(nn.Module):
    """Images (N, C, H, W) as tokens (T, D): the class token, then the patches row by row.

    A convolution whose stride is its kernel is one linear layer over the pixels of each patch.
    """

    def __init__(self, spec: PatchSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        self.first = nn.Parameter(torch.zeros(1, width))
        self.project = nn.Conv2d(spec.channels, width, kernel_size=spec.size, stride=spec.size)

    def forward(self, images_NCHW: Tensor) -> tuple[Tensor, Layout]:
        """Return the tokens (T, D) of N images laid end to end, and their layout."""
        _check_images(images_NCHW, self.spec)
        patches_NPD = self.project(images_NCHW.to(self.first.dtype)).flatten(2).mT
        first_N1D = self.first.expand(len(images_NCHW), 1, -1)
        tokens_TD = torch.cat((first_N1D, patches_NPD), dim=1).flatten(0, 1)
        return tokens_TD, Layout([self.spec.tokens] * len(images_NCHW), images_NCHW.device)


def _check_images(images_NCHW: Tensor, spec: PatchSpec) -> None:
    expected, found = (spec.channels, *spec.image), tuple(images_NCHW.shape)
    if found[1:] != expected:
        raise LayoutError(
            f"images of shape {found} are not the (N, {', '.join(map(str, expected))}) of this "
            "model: images, channels, height, width; resize them"
        )


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
