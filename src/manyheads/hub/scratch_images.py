"""Small Vision Transformers with fresh weights, for images that no model has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.core.initialize import initialize_for_images
from manyheads.core.transformer import Transformer
from manyheads.errors import ConfigError, DataError
from manyheads.families import family_of
from manyheads.hub.load import Pretrained
from manyheads.hub.scratch import check_dropout, check_sizes
from manyheads.image import ImageSource, Preparation, Resample, as_published, decode

_LOOKED_AT = 1000  # images that say what all are like
_LARGEST = 64  # pixels: without thousands of examples a class, more only takes longer


@dataclass(frozen=True)
class ScratchImages:
    """How to build a Vision Transformer from nothing (Dosovitskiy et al. 2021).

    Images are cut into patches of `patch` pixels, small ones, because from few images a model
    learns more when it sees them finely. Where they are not given, `image_size` is the commonest
    shorter side of the training images, up to 64 and a multiple of the patch, and `channels` is 1
    where all are grey. Mean and deviation of their pixels go into ``preprocessor_config.json``.
    """

    image_size: int | None = None
    patch: int = 4
    channels: int | None = None
    layers: int = 6
    width: int = 192
    heads: int = 6
    feedforward: int | None = None  # twice the width
    dropout: float = 0.0

    def build_for(self, columns: Mapping[str, Sequence[Any]], seed: int = 0) -> Pretrained:
        """Look at the images of a split and draw the weights; raises `DataError` for texts."""
        if "image" not in columns:
            raise DataError("a Vision Transformer reads images; read them with mh.read_images")
        return self.build(columns["image"], seed)

    def build(self, images: Sequence[ImageSource], seed: int = 0) -> Pretrained:
        """Look at images and draw the weights.

        Raises `ConfigError` for sizes that do not fit each other, `ImageError`.
        """
        sizes = ("image_size", "patch", "channels", "layers", "width", "heads", "feedforward")
        check_sizes(self, sizes)
        check_dropout(self.dropout)
        if self.channels not in (None, 1, 3):
            raise ConfigError(f"channels={self.channels} is neither grey (1) nor RGB (3)")
        if self.width % self.heads:
            raise ConfigError(
                f"width={self.width} is not a multiple of heads={self.heads}; each takes as much"
            )
        some = images[:: -(-len(images) // _LOOKED_AT)]
        preparation = self._preparation(some)
        config = self._config(preparation)
        family = family_of(config)
        transformer = Transformer(family.to_spec(config))
        initialize_for_images(transformer, seed=seed)
        preprocessor = as_published(preparation)
        return Pretrained(transformer.eval(), None, family, config, preprocessor=preprocessor)

    def _preparation(self, images: Sequence[ImageSource]) -> Preparation:
        """Return how such images are made ready: their size, and their own mean and deviation."""
        decoded = [decode(image, near=(_LARGEST, _LARGEST)) for image in images]
        channels = self.channels or (3 if any(one.mode == "RGB" for one in decoded) else 1)
        side = self.image_size or self._usual_side([min(one.size) for one in decoded])
        if side < self.patch:
            raise ConfigError(
                f"patch={self.patch} does not fit into image_size={side}; choose a smaller patch"
            )
        plain = (0.0,) * channels, (1.0,) * channels
        raw = Preparation(channels, (side, side), Resample.BICUBIC, 1 / 255, *plain)
        pixels_NCHW = raw.normalised(np.stack([raw.pixels(np.asarray(one)) for one in decoded]))
        mean = pixels_NCHW.mean(axis=(0, 2, 3)).tolist()
        deviation = [round(max(one, 0.01), 4) for one in pixels_NCHW.std(axis=(0, 2, 3)).tolist()]
        return Preparation(
            channels,
            raw.size,
            raw.resample,
            raw.scale,
            tuple(round(one, 4) for one in mean),
            tuple(deviation),
        )

    def _usual_side(self, sides: Sequence[int]) -> int:
        usual = min(Counter(sides).most_common(1)[0][0], _LARGEST)
        return max(usual // self.patch, 1) * self.patch

    def _config(self, preparation: Preparation) -> dict[str, object]:
        return {
            "model_type": "vit",
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.feedforward or 2 * self.width,
            "hidden_act": "gelu",
            "hidden_dropout_prob": self.dropout,
            "attention_probs_dropout_prob": 0.0,
            "layer_norm_eps": 1e-6,
            "image_size": preparation.size[0],
            "patch_size": self.patch,
            "num_channels": preparation.channels,
            "qkv_bias": True,
        }
