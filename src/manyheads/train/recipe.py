"""How to train: every setting of a run in one strict, frozen object."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from manyheads.errors import RecipeError, did_you_mean
from manyheads.train.choice import Choice, plain_reason
from manyheads.train.early_stopping import EarlyStopping
from manyheads.train.schedule import Linear, Schedule
from manyheads.train.settings import (
    ADAPTATIONS,
    INTERVALS,
    MEMORIES,
    SCHEDULES,
    STOPPING,
    TRUNCATIONS,
    WARMUPS,
    Activations,
    Adaptation,
    Interval,
    Keep,
    KeepHead,
    Memory,
    Precision,
    Seconds,
    Steps,
    Warmup,
)

CHOICES: Mapping[str, Choice] = {
    "truncation": TRUNCATIONS,
    "schedule": SCHEDULES,
    "warmup": WARMUPS,
    "early_stopping": STOPPING,
    "checkpoint_every": INTERVALS,
    "adapt": ADAPTATIONS,
    "memory": MEMORIES,
}

# What the same settings are called elsewhere, for whoever comes from there.
OTHER_NAMES: Mapping[str, str] = {
    "lr": "learning_rate",
    "num_train_epochs": "epochs",
    "max_length": "max_tokens",
    "max_seq_length": "max_tokens",
    "maxlen": "max_tokens",
    "max_source_length": "max_tokens",
    "max_target_length": "max_target_tokens",
    "max_grad_norm": "clip_norm",
    "gradient_accumulation_steps": "accumulate",
    "lr_scheduler_type": "schedule",
    "warmup_ratio": "warmup",
    "warmup_steps": "warmup",
    "patience": "early_stopping.patience",
    "metric_for_best_model": "metric",
    "save_steps": "checkpoint_every",
    "save_total_limit": "keep_checkpoints",
    "fp16": "precision",
    "bf16": "precision",
    "eps": "epsilon",
    "ema": "average",
    "ema_decay": "average",
    "bpe_dropout": "subword_dropout",
    "gradient_checkpointing": "activations",
    "auto_find_batch_size": "memory",
    "lora": "adapt",
    "peft": "adapt",
}


class Recipe(BaseModel):
    """How to train; anything unknown or out of range raises `RecipeError`.

    Choices are written as a name or a table: ``schedule = "cosine"`` or
    ``schedule = { kind = "cosine", floor = 0.1 }``; a bare ``warmup = 0.1`` is a share of the run,
    ``warmup = 100`` a number of updates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # How much, and in which portions.
    epochs: float = Field(3.0, gt=0)
    batch_size: int | None = Field(32, ge=1)  # at most so many sequences in a batch
    batch_tokens: int | None = Field(8192, ge=1)  # at most so many tokens in a batch
    accumulate: int = Field(1, ge=1)  # batches for one update
    max_tokens: int | None = Field(None, ge=3)  # of one text; None: as many as the model can read
    max_target_tokens: int | None = Field(None, ge=2)  # of a text to write; None: as max_tokens
    truncation: Annotated[Keep, TRUNCATIONS] = KeepHead()

    # The learning rate over time.
    learning_rate: float = Field(5e-5, gt=0)
    schedule: Annotated[Schedule, SCHEDULES] = Linear()
    warmup: Annotated[Warmup, WARMUPS] | None = None  # None: what is usual for the schedule

    # AdamW.
    weight_decay: float = Field(0.01, ge=0)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.9,
        0.999,
    )
    epsilon: float = Field(1e-8, gt=0)
    layer_decay: float = Field(1.0, gt=0, le=1)  # learning rate of a layer, relative to the next
    adapt: Annotated[Adaptation, ADAPTATIONS] | None = None  # None: all weights learn
    freeze: tuple[str, ...] = ()  # patterns of parameter or module names, such as "*.embed"
    clip_norm: float | None = Field(1.0, gt=0)

    # The model and the machine.
    probe_examples: int = Field(2000, ge=0)  # set the head of a pretrained body first; 0: do not
    dropout: float | None = Field(None, ge=0, lt=1)  # None: as the model's configuration says
    token_dropout: float = Field(0.0, ge=0, lt=1)  # share of the tokens left out in training
    subword_dropout: float = Field(0.0, ge=0, lt=1)  # share of merges or pieces left out
    precision: Precision = Precision.AUTO
    activations: Activations = Activations.KEEP  # recompute: less memory for more time
    memory: Annotated[Memory, MEMORIES] | None = None  # compute batches in parts that fit into it
    threads: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0, lt=2**32)

    # Which weights are kept, and when training ends early.
    average: float | None = Field(None, gt=0, lt=1)  # decay of a moving average; None: no average
    average_last: int | None = Field(None, ge=2)  # epochs whose weights are averaged; None: none
    metric: str | None = None  # chooses the best checkpoint; None: what is usual for the task
    early_stopping: Annotated[EarlyStopping, STOPPING] | None = None
    checkpoint_every: Annotated[Interval, INTERVALS] = Seconds(300.0)
    keep_checkpoints: int = Field(2, ge=1)

    if not TYPE_CHECKING:  # type checkers read the fields above as the constructor's arguments

        def __init__(self, **settings: Any) -> None:
            try:
                super().__init__(**settings)
            except ValidationError as error:
                reasons = [_reason(detail) for detail in error.errors()]
                raise RecipeError("; ".join(reasons)) from None

    @classmethod
    def from_file(cls, path: str | Path) -> Recipe:
        """Read a recipe from a .toml, .json or .yaml file.

        Raises `RecipeError` naming the file, the key and the remedy.
        """
        path = Path(path)
        document = _read(path)
        if not isinstance(document, dict):
            raise RecipeError(f"{path} holds no table of settings; write lines such as epochs = 3")
        try:
            return cls(**document)
        except RecipeError as error:
            raise RecipeError(f"{path}: {error}") from None

    def with_settings(self, assignments: Iterable[str]) -> Recipe:
        """Return a recipe changed by ``key=value`` or ``key.part=value``, as the shell gives them.

        Values are written as in TOML, quotes may be left out, and ``none`` unsets.
        """
        document = self.to_json()
        for assignment in assignments:
            path, equals, text = assignment.partition("=")
            if not equals:
                raise RecipeError(f"{assignment!r} has no '='; write it as key=value")
            key, dot, part = path.strip().partition(".")
            value = _parse_value(text.strip())
            if dot and key in CHOICES:
                value = CHOICES[key].change(document[key] or {}, part, value)
            elif dot and key in document:
                raise RecipeError(f"{key!r} has no part {part!r}; write {key}={text}")
            document[key] = value
        return type(self)(**document)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON; `Recipe(**settings)` gives an equal recipe."""
        return self.model_dump(mode="json")

    def warmup_steps(self, total_steps: int) -> int:
        """Return the updates of the warm-up in a run of `total_steps` updates."""
        if self.warmup is None:
            return round(self.schedule.usual_warmup * total_steps)
        return self.warmup.of(total_steps)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_values(cls, value: object, info: ValidationInfo) -> object:
        # Python counts True as 1; a person who writes `accumulate = true` does not.
        if isinstance(value, bool):
            raise RecipeError(f"{info.field_name}={value} is a truth value; no setting is one")
        return value

    @field_validator("freeze", mode="before")
    @classmethod
    def _one_pattern(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Recipe:
        if self.batch_size is None and self.batch_tokens is None:
            raise RecipeError("batch_size and batch_tokens are both unset; give at least one")
        if self.batch_tokens and self.max_tokens and self.batch_tokens < self.max_tokens:
            raise RecipeError(
                f"batch_tokens={self.batch_tokens} is below max_tokens={self.max_tokens}; "
                "one text must fit into a batch"
            )
        if self.average is not None and self.average_last is not None:
            raise RecipeError(
                f"average={self.average} and average_last={self.average_last} are two ways to "
                "average weights; choose one"
            )
        if self.checkpoint_every == Steps(0):
            raise RecipeError("checkpoint_every=0 steps is below 1; choose at least 1")
        return self


def changed(recipe: Recipe, given: dict[str, Any]) -> Recipe:
    """Return the recipe with the settings that are not None; raises `RecipeError`."""
    return Recipe(**{**dict(recipe), **{k: v for k, v in given.items() if v is not None}})


def _reason(detail: ErrorDetails) -> str:
    """Return one of pydantic's complaints as a clause that names key, value and limit."""
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = Recipe.model_fields
        if key in OTHER_NAMES:
            hint = f" Did you mean {OTHER_NAMES[key]!r}?"
        else:
            hint = did_you_mean(key, known) or f" Known keys: {', '.join(known)}."
        return f"unknown recipe key {key!r}.{hint}"
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, RecipeError):
        return str(cause)
    return f"{key}={detail['input']!r} {plain_reason(detail['msg'])}"


def _read(path: Path) -> object:
    """Return the document in `path`, of the kind that its suffix says."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"recipe file {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe file {path} cannot be read: {error}") from None
    try:
        if path.suffix == ".toml":
            return tomllib.loads(text)
        if path.suffix == ".json":
            return json.loads(text)
    except ValueError as error:
        raise RecipeError(f"{path} is not valid {path.suffix[1:].upper()}: {error}") from None
    if path.suffix in (".yaml", ".yml"):
        return _read_yaml(path, text)
    raise RecipeError(f"recipe file {path} has an unknown suffix; choose .toml, .json or .yaml")


def _read_yaml(path: Path, text: str) -> object:
    try:
        import yaml
    except ImportError:
        raise RecipeError(
            f"reading {path} needs PyYAML: `pip install pyyaml`, or write the recipe as .toml"
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def _parse_value(text: str) -> object:
    """Return `text` as TOML reads it, or as the plain string that it is."""
    if text.lower() in ("none", "null"):
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
