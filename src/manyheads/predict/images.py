"""The predictor of images: a model with one row of outputs for each image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from manyheads.hub import Pretrained
from manyheads.image import ImageSource, Picture
from manyheads.predict.answer import Answer
from manyheads.predict.head import opened_head
from manyheads.predict.outputs import OutputPredictor
from manyheads.predict.running import run
from manyheads.predict.settings import Settings
from manyheads.tasks import ImageClassification, ImageExample, ImageModel, ImageReader
from manyheads.text.several import several

Images = Sequence[ImageSource] | np.ndarray


class ImagePredictor(OutputPredictor):
    """A trained model that says what images show: `predictor("photo.png")`, or a list of images.

    An image is a file, the bytes of one, an array uint8 (H, W) or (H, W, C), or one of Pillow;
    an array (N, H, W) or (N, H, W, C) is N of them.
    """

    @classmethod
    def opened(
        cls, settings: Settings, pretrained: Pretrained, device: torch.device | str, folder: Path
    ) -> Self:
        """Return the predictor of a folder that was read.

        Raises `CheckpointError`, or `ConfigError` where it does not say how images are made ready.
        """
        assert isinstance(settings.task, ImageClassification)
        reader = ImageReader.of(pretrained)
        format_ = pretrained.family.require_sequence_head()
        head = opened_head(format_, settings.task, pretrained, device, folder)
        return cls(ImageModel(pretrained.transformer, head), settings.task, reader, pretrained)

    def __call__(self, images: ImageSource | Images) -> Any:
        """Return the prediction of one image, or a list of predictions in the order of the images.

        Raises `ImageError` for one that cannot be decoded.
        """
        if _is_one(images):
            return self([images])[0]
        images = several(images, "images")
        return self.task.predict(self.outputs(images)) if images else []

    def probabilities(self, images: Images) -> np.ndarray:
        """Return the probability of each label, (N, C), columns in the order of `labels`."""
        images = several(images, "images")
        if not images:
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        return self.task.probabilities(self.outputs(images)).numpy()

    def answers(
        self, images: Images, progress: Callable[[int], None] = lambda _: None
    ) -> list[Answer]:
        """Return predictions as predictors of texts do; of images nothing is cut.

        `progress` is told of every finished batch's number of images.
        """
        images = several(images, "images")
        if not images:
            return []
        outputs = run(self.model, self.task, self._examples(images), progress=progress)
        return [Answer(prediction, 0) for prediction in self.task.predict(outputs)]

    def outputs(self, images: Images) -> Tensor:
        """Return the raw outputs (N, C)."""
        return run(self.model, self.task, self._examples(images))

    def _examples(self, images: Images) -> list[ImageExample]:
        """Return examples whose images are decoded as their batch comes up."""
        reader = self.reader
        return [
            ImageExample(row, Picture(image, reader.preparation), reader.tokens)
            for row, image in enumerate(several(images, "images"))
        ]

    def _settings(self, folder: Path) -> Settings:
        return Settings(self.task)


def _is_one(images: Any) -> bool:
    """Whether this is an image, not several: the last axis of one in colour has few channels."""
    if isinstance(images, np.ndarray):
        return images.ndim == 2 or (images.ndim == 3 and images.shape[-1] in (1, 3, 4))
    return isinstance(images, str | Path | bytes) or hasattr(images, "getexif")
