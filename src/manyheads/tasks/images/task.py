"""Classification of images: Vision Transformers, and how images are read for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from torch import Tensor, nn

from manyheads.core.pooling import encode_images_pooled
from manyheads.errors import DataError, RecipeError
from manyheads.hub import Pretrained
from manyheads.tasks import metrics
from manyheads.tasks.images.augment import Augmentation, Shift
from manyheads.tasks.images.baseline import predict_image_labels
from manyheads.tasks.images.samples import ImageBatch, ImageExample, ImageReader
from manyheads.tasks.labels import Describe, label_name, labels_of
from manyheads.tasks.one_label import OneLabel
from manyheads.tasks.outputs import HeadModel
from manyheads.tasks.task import Columns, Loss, Noise, Reading
from manyheads.text import Cleaning

BASELINE = "logistic regression"


class ImageModel(HeadModel):
    """A Transformer that reads images, with a head."""

    def forward(self, batch: ImageBatch) -> Tensor:
        """Return the outputs (N, C) of a batch's images."""
        outputs_NC: Tensor = self.head(self._pooled(batch))
        return outputs_NC

    def features(self, batch: ImageBatch) -> Tensor:
        """Return what the head's last layer sees, (N, D): its outputs are linear in it."""
        return self.head.features(self._pooled(batch))

    def _pooled(self, batch: ImageBatch) -> Tensor:
        return encode_images_pooled(self.transformer, batch.pixels, self.head.spec.pooling)


@dataclass(frozen=True)
class ImageClassification(OneLabel):
    """One label of several for each image: softmax and cross entropy.

    `labels`, `class_weights` and `label_smoothing` are those of `Classification`. `augmentation`
    says how images are changed each time that training reads them: `Shift`, `Flip`, `Erase`,
    `Mixup`, one after the other.
    """

    augmentation: tuple[Augmentation, ...] = (Shift(),)

    name = "image-classification"

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` for texts, or for a row whose label cannot be learnt."""
        _require_images(columns)
        super().check(columns, describe)

    def corpus(self, columns: Columns) -> Columns:
        """Return the images that a model from scratch is made for: all of them."""
        return columns

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model as it is; raises `ConfigError` for one that reads no images."""
        ImageReader.of(pretrained)
        return pretrained

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> ImageModel:
        """Return the body with the family's head."""
        head = self.head(pretrained, seed)
        return ImageModel(pretrained.transformer, head, self.is_answered_by(pretrained))

    def reader(self, pretrained: Pretrained, reading: Reading) -> ImageReader:
        """Return how images are read for this model; nothing of `reading` is about images."""
        return ImageReader.of(pretrained)

    def read(self, reader: ImageReader, columns: Columns, describe: Describe) -> list[ImageExample]:
        """Return an example for each row; raises `ImageError` naming one that is broken."""
        _require_images(columns)
        targets = self.targets(labels_of(columns), describe)
        pictures = reader.read(columns["image"])
        return [
            ImageExample(row, picture, reader.tokens, target)
            for row, (picture, target) in enumerate(zip(pictures, targets, strict=True))
        ]

    def collate(self, samples: Sequence[ImageExample]) -> ImageBatch:
        """Lay images together."""
        return ImageBatch.of(samples)

    def draw(
        self, samples: Sequence[ImageExample], reader: ImageReader | None, noise: Noise
    ) -> ImageBatch:
        """Lay images together, each changed by every augmentation.

        Raises `RecipeError` for noise that texts alone can have.
        """
        if noise.tokens or noise.subwords:
            raise RecipeError(
                f"token_dropout={noise.tokens} and subword_dropout={noise.subwords} are for texts; "
                "set both to 0, and choose an augmentation such as Erase"
            )
        return reduce(lambda batch, change: change(batch), self.augmentation, self.collate(samples))

    def loss(self, model: nn.Module, batch: ImageBatch) -> Loss:
        """Return the loss of a batch; mixed images have some of each of their two targets'."""
        assert batch.targets is not None
        outputs_NC = model(batch)
        losses_N, weights_N = self.losses(outputs_NC, batch.targets)
        if batch.mixed is None:
            return Loss((losses_N * weights_N).sum(), float(weights_N.sum()))
        others_N, other_weights_N = self.losses(outputs_NC, batch.mixed.targets)
        weights_N = weights_N * batch.mixed.shares
        other_weights_N = other_weights_N * (1 - batch.mixed.shares)
        total = (losses_N * weights_N + others_N * other_weights_N).sum()
        return Loss(total, float((weights_N + other_weights_N).sum()))

    def baseline(
        self, train: Columns, columns: Columns, cleaning: Cleaning
    ) -> tuple[str, metrics.Scores]:
        """Return what logistic regression on small copies reaches after learning from train."""
        names = [label_name(value) for value in labels_of(train)]
        guess = predict_image_labels(train["image"], names, columns["image"], self.labels)
        expected = [label_name(value) for value in labels_of(columns)]
        return BASELINE, metrics.classification_scores(
            expected, guess.predicted, self.labels, guess.probabilities
        )


def _require_images(columns: Columns) -> None:
    if "image" not in columns:
        raise DataError("the data have no images; read them with mh.read_images")
