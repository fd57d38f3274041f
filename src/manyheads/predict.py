"""A model together with its task: callable, saved as a folder, opened in another process.

The folder is a Hugging Face folder plus `manyheads.json`, which says how text becomes tokens and
what the outputs mean. It is relocatable, needs no network, and holds no pickle.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from manyheads._version import __version__
from manyheads.core.packed import pack
from manyheads.core.streams import in_streams, streams_on
from manyheads.data.batch import token_budget_batches
from manyheads.errors import CheckpointError, ConfigError
from manyheads.hub import Pretrained, load_model, locate, save_with_sequence_head
from manyheads.hub.atomic import replace_files
from manyheads.hub.load import fill
from manyheads.tasks import (
    Batch,
    Classification,
    Example,
    MultiLabel,
    Reader,
    Regression,
    Task,
    TaskModel,
    task_type,
)
from manyheads.text import Cleaning, Head, Truncation, truncation_from_json

MANIFEST = "manyheads.json"
FORMAT = 1
# Enough for matrix products to run at full speed; more only holds more memory.
BATCH_TOKENS = 2048
_LEAST_TOKENS = 256  # smaller batches would cost more than sharing them out brings


@dataclass(frozen=True)
class Answer:
    """A prediction, and how many tokens of its text the model did not see."""

    prediction: Any
    truncated: int


@dataclass(frozen=True)
class Settings:
    """What a saved predictor knows besides its weights."""

    task: Task
    cleaning: Cleaning
    truncation: Truncation


class Predictor:
    """A trained model that answers: `predictor("a text")`, or a list of texts, or of pairs."""

    def __init__(
        self, model: TaskModel, task: Task, reader: Reader, pretrained: Pretrained
    ) -> None:
        self.model = model.eval()
        self.task = task
        self.reader = reader
        self.pretrained = pretrained
        pack(self.model)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, in the order of `probabilities`."""
        return self.task.labels

    @overload
    def __call__(self, inputs: str, pairs: str | None = None) -> Any: ...
    @overload
    def __call__(self, inputs: Sequence[str], pairs: Sequence[str] | None = None) -> list[Any]: ...
    def __call__(self, inputs, pairs=None):  # type: ignore[no-untyped-def]
        """Return the prediction of one text, or a list of predictions in the order of the texts."""
        if isinstance(inputs, str):
            return self([inputs], None if pairs is None else [pairs])[0]
        return self.task.predict(self.outputs(inputs, pairs)) if len(inputs) else []

    def probabilities(
        self, inputs: Sequence[str], pairs: Sequence[str] | None = None
    ) -> np.ndarray:
        """Return the probability of each label, (N, C), columns in the order of `labels`."""
        if not len(inputs):
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        return self.task.probabilities(self.outputs(inputs, pairs)).numpy()

    def answers(
        self,
        inputs: Sequence[str],
        pairs: Sequence[str] | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Answer]:
        """Return predictions that say how much of each text was cut.

        `progress` is told of every finished batch's number of texts.
        """
        if not len(inputs):
            return []
        examples = self._examples(inputs, pairs)
        outputs = run(self.model, self.task, examples, progress=progress)
        predictions = self.task.predict(outputs)
        return [
            Answer(prediction, example.encoded.dropped)
            for prediction, example in zip(predictions, examples, strict=True)
        ]

    def outputs(self, inputs: Sequence[str], pairs: Sequence[str] | None = None) -> Tensor:
        """Return the raw outputs (N, C)."""
        return run(self.model, self.task, self._examples(inputs, pairs))

    def _examples(self, inputs: Sequence[str], pairs: Sequence[str] | None) -> list[Example]:
        encoded = self.reader.read(inputs, pairs)
        return [Example(row, one) for row, one in enumerate(encoded)]

    def save(self, folder: str | Path) -> Path:
        """Write the predictor as a folder; a folder that is there already is replaced file by file.

        All files are written beside it first, and are on the disk before the first one is replaced.
        Raises `CheckpointError` where they cannot be written; the old ones are whole then.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as temporary:
                self._write(Path(temporary))
                replace_files(folder, Path(temporary), last=MANIFEST)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"the model cannot be saved in {folder} ({error}); make room, or choose another "
                "folder"
            ) from error
        return folder

    def _write(self, folder: Path) -> None:
        save_with_sequence_head(
            folder,
            replace(self.pretrained, transformer=self.model.transformer),
            self.model.head.state_dict(),
            self.task.hub_settings(),
        )
        manifest = {
            "format": FORMAT,
            "manyheads": __version__,
            "task": {"name": self.task.name, **self.task.to_json()},
            "cleaning": self.reader.cleaning.to_json(),
            "truncation": self.reader.truncation.to_json(),
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def load(reference: str | Path, *, device: torch.device | str = "cpu") -> Predictor:
    """Open a saved predictor, or any published sequence-classification model.

    Raises `ReferenceNotFound`, `ConfigError` where the folder is no predictor, `CheckpointError`.
    """
    folder = locate(reference)
    pretrained = load_model(folder, device=device)
    settings = settings_of(folder, pretrained)
    if settings is None:
        raise ConfigError(
            f"{folder} is a model without a task ({MANIFEST} is missing); train one with "
            "`manyheads train` first, or give the folder that training wrote"
        )
    head_format = pretrained.family.require_sequence_head()
    tensors, _ = head_format.rules.to_ours(pretrained.head_weights)
    head = settings.task.head(pretrained)
    fill(head, tensors, device, torch.float32, source=str(folder))
    reader = Reader(pretrained.require_tokenizer(), settings.cleaning, settings.truncation)
    return Predictor(TaskModel(pretrained.transformer, head), settings.task, reader, pretrained)


def settings_of(folder: Path, pretrained: Pretrained) -> Settings | None:
    """Return what the manifest says, or what follows from a published classifier's config.json.

    None for a model without a task. Raises `ConfigError` for a manifest that cannot be read.
    """
    path = folder / MANIFEST
    if path.is_file():
        return _saved_settings(path)
    if not pretrained.is_sequence_classifier:
        return None
    return Settings(_published_task(pretrained), Cleaning(), Head(longest_input(pretrained)))


def _saved_settings(path: Path) -> Settings:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}); restore it") from error
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != FORMAT:
        raise ConfigError(
            f"{path} has format {version!r}, this version reads {FORMAT}; "
            "install the version of manyheads that wrote it, or a newer one"
        )
    try:
        task = task_type(manifest["task"]["name"]).from_json(manifest["task"])
        cleaning = Cleaning.from_json(manifest["cleaning"])
        return Settings(task, cleaning, truncation_from_json(manifest["truncation"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} lacks what it should say ({error}); restore it") from error


def _published_task(pretrained: Pretrained) -> Task:
    """Return the task of a published head, which its config.json need not spell out."""
    config = pretrained.config
    tensors, _ = pretrained.family.require_sequence_head().rules.to_ours(pretrained.head_weights)
    names = {int(number): name for number, name in (config.get("id2label") or {}).items()}
    outputs = len(names) or len(tensors.get("out.bias", ()))
    labels = tuple(names.get(number, f"LABEL_{number}") for number in range(outputs))
    kind = config.get("problem_type")
    if kind == MultiLabel.problem_type:
        return MultiLabel(labels=labels)
    if kind == Regression.problem_type or (kind is None and outputs == 1):
        return Regression()
    return Classification(labels=labels)


def longest_input(pretrained: Pretrained) -> int:
    """Return how many tokens the model can read: what its positions and its tokenizer allow."""
    positions, tokenizer = pretrained.transformer.spec.max_tokens, pretrained.tokenizer
    own = None if tokenizer is None else tokenizer.max_tokens
    return positions if own is None else min(positions, own)


def run(
    model: TaskModel,
    task: Task,
    examples: Sequence[Example],
    *,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Return the outputs (N, C) of all examples on the CPU, in their order.

    They are run in batches of similar length, on CPU several at once; which texts share a batch
    does not matter.
    """
    return map_batches(
        lambda batch: model(batch).float().cpu(),
        task,
        examples,
        device=model.transformer.device,
        batch_tokens=batch_tokens,
        progress=progress,
    )


def map_batches(
    work: Callable[[Batch], Tensor],
    task: Task,
    examples: Sequence[Example],
    *,
    device: torch.device,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Return the rows that `work` gives for batches of the examples, (N, …), in their order.

    No gradient flows. Batches are small enough for every core to get several of them.
    """
    streams = streams_on(device)
    lengths = [example.tokens for example in examples]
    share = max(_LEAST_TOKENS, sum(lengths) // (4 * streams))
    batches = token_budget_batches(lengths, max_tokens=min(batch_tokens, share))

    @torch.inference_mode()
    def rows(indices: Sequence[int]) -> Tensor:
        return work(task.collate([examples[i] for i in indices]).to(device))

    results: list[Tensor] = []
    for indices, result in zip(batches, in_streams(rows, batches, streams), strict=True):
        results.append(result)
        progress(len(indices))
    order = torch.tensor([index for indices in batches for index in indices])
    return torch.cat(results)[order.argsort().to(results[0].device)]
