"""The options that say how something is learnt, and the `Learner` that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.cli import options, rows
from manyheads.cli.kinds import (
    PAIRED,
    WRITING,
    blueprint_of,
    image_blueprint,
    image_task,
    usual_kind,
    writing_task,
)
from manyheads.cli.opening import device_of
from manyheads.cli.options import Clean, TaskKind
from manyheads.errors import ConfigError, DataError, RecipeError

if TYPE_CHECKING:
    from manyheads.data import Dataset
    from manyheads.hub.scratch import Blueprint
    from manyheads.text import Cleaning
    from manyheads.train import Learner, Recipe, Tracker

SCRATCH = "scratch"


@dataclass(frozen=True)
class Setup:
    """All that makes a `Learner` beside its data."""

    clean: options.Cleaning = None
    task: options.Task = None
    few_shot: options.FewShot = False
    class_weights: options.ClassWeights = None
    label_smoothing: options.LabelSmoothing = None
    calibrate: options.Calibrate = False
    precision: options.Precision = None
    thresholds: options.Thresholds = None
    language: options.Language = None
    source_language: options.SourceLanguage = None
    target_language: options.TargetLanguage = None
    beams: options.Beams = None
    query_prompt: options.QueryPrompt = None
    document_prompt: options.DocumentPrompt = None
    dimensions: options.Dimensions = None
    chunk_tokens: options.ChunkTokens = None
    augment: options.Augmentation = None
    model: options.Model = None
    layers: options.Layers = None
    width: options.Width = None
    heads: options.Heads = None
    patch: options.Patch = None
    vocabulary: options.Vocabulary = None
    recipe: options.RecipeFile = None
    assignments: options.Assignments = None
    device: options.Device = None

    def learner(
        self,
        dataset: Dataset,
        *,
        folder: Path | None = None,
        quiet: bool,
        trackers: Sequence[Tracker] = (),
    ) -> Learner:
        """Return the learner; raises what is wrong with the data before torch is imported."""
        from manyheads.train import Learner

        recipe, (kind, task) = self.chosen_recipe(), self.chosen_lesson(dataset)
        return Learner(
            self.chosen_model(recipe, kind),
            task,
            dataset,
            recipe,
            cleaning=self.chosen_cleaning(),
            folder=folder,
            device=device_of(self.device),
            quiet=quiet,
            trackers=trackers,
        )

    def read(self, labelled: rows.Labelled, held_out: rows.HeldOut) -> Dataset:
        """Read the data as they are learnt from: the same rows for whatever asks of a training.

        Of a few shots none are held out unless it is asked for; the documents of a query are held
        out together.
        """
        if self.few_shot and held_out.valid is None:
            held_out = replace(held_out, valid="0")
        return labelled.read(
            held_out,
            images=self.task is TaskKind.IMAGE_CLASSIFICATION,
            together="text" if self.task is TaskKind.RERANKING else None,
        )

    def arguments(self) -> dict[str, Any]:
        """Return, as JSON values, what another run must share to be the same one."""
        chosen = asdict(self) | {
            "clean": sorted(self.clean or ()),
            "augment": list(self.augment or ()),
        }
        elsewhere = ("recipe", "assignments", "device")
        return {name: value for name, value in chosen.items() if name not in elsewhere}

    def chosen_recipe(self) -> Recipe:
        """Return the recipe in a file, or the usual one, with single settings changed."""
        from manyheads.train import Recipe

        recipe = Recipe() if self.recipe is None else Recipe.from_file(self.recipe)
        return recipe.with_settings(self.assignments or ())

    def chosen_cleaning(self) -> Cleaning:
        """Return the usual cleaning, or none, with the steps that were asked for."""
        from manyheads.text import Cleaning

        chosen = set(self.clean or ())
        usual = Clean.NONE not in chosen
        return Cleaning(
            html=Clean.HTML in chosen,
            unicode=usual,
            controls=usual,
            surrogates=Clean.SURROGATES in chosen,
        )

    def chosen_model(self, recipe: Recipe, kind: TaskKind) -> str | Blueprint:
        """Return what to train: a published model, or one from scratch with the given sizes.

        Raises `ConfigError` for sizes beside a published model.
        """
        usual = SCRATCH if kind in (*WRITING, TaskKind.IMAGE_CLASSIFICATION) else options.MINILM
        model = usual if self.model is None else self.model
        sizes = {
            "layers": self.layers,
            "width": self.width,
            "heads": self.heads,
            "patch": self.patch,
        }
        given = {name: size for name, size in sizes.items() if size is not None}
        if model != SCRATCH:
            if given or self.vocabulary is not None:
                name = next(iter(given), "vocabulary")
                raise ConfigError(f"--{name} is for --model scratch; {model} has sizes of its own")
            return model
        if kind is TaskKind.IMAGE_CLASSIFICATION:
            return image_blueprint(given, self.vocabulary)
        if self.patch is not None:
            raise ConfigError(f"--patch is for models of images; leave it out for {kind}")
        limit = {} if recipe.max_tokens is None else {"max_tokens": recipe.max_tokens}
        return blueprint_of(kind, given | limit, self.vocabulary)

    def chosen_lesson(self, data: Dataset) -> tuple[TaskKind, Any]:
        """Return what is learnt, and of which kind that is: many heads need what labels need.

        What options say of the task holds for every head. Raises as `chosen_task` does.
        """
        from manyheads.cli.heads_file import HeadsData
        from manyheads.tasks import ManyHeads

        if not isinstance(data, HeadsData):
            kind = self.task or usual_kind(data)
            return kind, self.chosen_task(data, kind)
        if self.task is not None:
            raise RecipeError(
                f"--task {self.task} is for a table; say it for the heads in the file"
            )
        tasks = {}
        for head, own in data.sets().items():
            try:
                tasks[head] = self.chosen_task(own, data.kinds[head])
            except RecipeError as error:
                raise RecipeError(f"head {head!r}: {error}") from None
        return TaskKind.CLASSIFICATION, ManyHeads(tasks, data.temperature, data.weights)

    def chosen_task(self, data: Dataset, kind: TaskKind) -> Any:
        """Return the task of that kind.

        Raises `DataError` without labels, `RecipeError` for options that the task does not have.
        """
        from manyheads.tasks import (
            Answering,
            Average,
            Balance,
            Calibrated,
            Classification,
            Embedding,
            FewShot,
            MultiLabel,
            Regression,
            Reranking,
            Tagging,
            Thresholds,
        )

        self._refuse_foreign(kind)
        if kind is TaskKind.EMBEDDING:
            return Embedding(
                dimensions=tuple(self.dimensions or ()),
                query_prompt=self.query_prompt,
                document_prompt=self.document_prompt,
                chunk_tokens=self.chunk_tokens,
            )
        if kind is TaskKind.RERANKING:
            return Reranking()
        if "negative" in data.train.columns:
            raise RecipeError(
                f"--negative is for {TaskKind.EMBEDDING} and {TaskKind.RERANKING}; leave it out "
                f"for {kind}"
            )
        if kind in WRITING or kind is TaskKind.MASKED_LANGUAGE_MODEL:
            given = {
                "label_smoothing": self.label_smoothing,
                "language": self.language,
                "source_language": self.source_language,
                "target_language": self.target_language,
            }
            return writing_task(kind, given, self.beams)
        if "label" not in data.train.columns:
            raise DataError(
                f"{data.train.source}: which column holds the labels? Choose --label COL"
            )
        balance = Balance.INVERSE if self.class_weights else None
        smoothing = self.label_smoothing or 0.0
        calibrates = self.calibrate or self.precision is not None
        calibration = Calibrated(self.precision) if calibrates else None
        if kind is TaskKind.IMAGE_CLASSIFICATION:
            return replace(image_task(balance, smoothing, self.augment), calibration=calibration)
        if kind is TaskKind.CLASSIFICATION:
            chosen = FewShot if self.few_shot else Classification
            return chosen(class_weights=balance, label_smoothing=smoothing, calibration=calibration)
        if kind is TaskKind.ANSWERING:
            return Answering()
        if kind is TaskKind.TAGGING:
            return Tagging(label_smoothing=smoothing)
        if kind is TaskKind.MULTI_LABEL:
            thresholds = self.thresholds and Thresholds(Average(self.thresholds.value))
            return MultiLabel(thresholds=thresholds)
        return Regression()

    def _refuse_foreign(self, kind: TaskKind) -> None:
        """Raise `RecipeError` for options of other tasks."""
        one_label = (TaskKind.CLASSIFICATION, TaskKind.IMAGE_CLASSIFICATION)
        owners = {
            "--few-shot": (self.few_shot or None, (TaskKind.CLASSIFICATION,)),
            "--class-weights": (self.class_weights, one_label),
            "--label-smoothing": (
                self.label_smoothing,
                (*one_label, TaskKind.TAGGING, *PAIRED),
            ),
            "--calibrate": (self.calibrate or None, one_label),
            "--precision": (self.precision, one_label),
            "--thresholds": (self.thresholds, (TaskKind.MULTI_LABEL,)),
            "--augment": (self.augment, (TaskKind.IMAGE_CLASSIFICATION,)),
            "--language": (self.language, PAIRED),
            "--source-language": (self.source_language, PAIRED),
            "--target-language": (self.target_language, PAIRED),
            "--beam": (self.beams, PAIRED),
            "--query-prompt": (self.query_prompt, (TaskKind.EMBEDDING,)),
            "--document-prompt": (self.document_prompt, (TaskKind.EMBEDDING,)),
            "--dimensions": (self.dimensions, (TaskKind.EMBEDDING,)),
            "--chunk-tokens": (self.chunk_tokens, (TaskKind.EMBEDDING,)),
        }
        for option, (value, kinds) in owners.items():
            if value is not None and kind not in kinds:
                raise RecipeError(f"{option} is for {', '.join(kinds)}; leave it out for {kind}")
