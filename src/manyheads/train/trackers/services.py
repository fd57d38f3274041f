"""Trackers: TensorBoard, MLflow, Weights & Biases.

Each keeps a run's curves under the same names: `train/loss`, `valid/accuracy`, `test/accuracy`. A
run that was stopped and goes on is one run there, too, and has no update twice.
"""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from manyheads.errors import ConfigError, MissingExtra
from manyheads.train.history import History, Validation
from manyheads.train.loop import Step
from manyheads.train.trackers.tracker import Outcome, RunFacts

_FLUSH_SECONDS = 1.0
_LONGEST_VALUE = 500  # characters of a parameter that every version of MLflow takes
_MOST_METRICS = 1000  # that MLflow takes at once


def curves(step: Step) -> dict[str, float]:
    """Return what is kept of an update."""
    return {
        "train/loss": step.loss,
        "train/learning_rate": step.learning_rate,
        "train/gradient_norm": step.gradient_norm,
        "train/tokens_per_second": step.tokens / max(step.seconds, 1e-9),
    }


def named(split: str, scores: Mapping[str, float]) -> dict[str, float]:
    """Return scores with the name of their split before theirs."""
    return {f"{split}/{name}": value for name, value in scores.items()}


@dataclass(frozen=True)
class _Told:
    """Which run a tracker keeps, and up to which update and which validation it knows it."""

    run: str = ""
    step: int = 0
    validation: int = 0


@dataclass
class TensorBoard:
    """Writes event files that TensorBoard shows, into `folder` or the run's own.

    Raises `MissingExtra` without tensorboard, `ConfigError` where neither folder is there.
    """

    folder: str | Path | None = None
    _writer: Any = field(default=None, init=False, repr=False)
    _step: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        _require("tensorboard", "tensorboard", "TensorBoard")

    def begin(self, facts: RunFacts, done: History) -> None:
        """Open a file; what older files hold from the last update done on is to be passed over."""
        from torch.utils.tensorboard import SummaryWriter

        folder = self.folder or (facts.folder and facts.folder / "tensorboard")
        if folder is None:
            raise ConfigError("TensorBoard needs a folder; give it one, or one to the Learner")
        last = len(done.steps)
        self._writer = SummaryWriter(str(folder), purge_step=last or None, flush_secs=10)
        rows = [f"| {name} | {value} |" for name, value in _parameters(facts).items()]
        self._writer.add_text("run", "\n".join(["| | |", "| --- | --- |", *rows]), last)
        for step in done.steps[-1:]:
            self.step(step)
        for validation in done.validations:
            if validation.step == last:
                self.validation(validation)

    def step(self, step: Step) -> None:
        """Keep an update."""
        self._step = step.number
        self._add(curves(step))

    def validation(self, validation: Validation) -> None:
        """Keep the scores on the validation split."""
        self._add(named("valid", validation.scores))

    def end(self, outcome: Outcome) -> None:
        """Close the file."""
        self._writer.add_text("outcome", outcome.value, self._step)
        self._writer.close()

    def evaluation(self, split: str, scores: Mapping[str, float]) -> None:
        """Keep the scores on a split, in a file of their own."""
        self._add(named(split, scores))
        self._writer.close()

    def _add(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, self._step)


@dataclass
class MLflow:
    """Keeps a run where MLflow keeps its runs: at `uri`, else where MLFLOW_TRACKING_URI says.

    A file of its own in the run's folder says which run is to go on. Raises `MissingExtra` without
    mlflow.
    """

    experiment: str = "manyheads"
    uri: str | None = None
    name: str | None = None
    _client: Any = field(default=None, init=False, repr=False)
    _run: str = field(default="", init=False, repr=False)
    _told: _Told = field(default=_Told(), init=False, repr=False)
    _step: int = field(default=0, init=False, repr=False)
    _waiting: list[Any] = field(default_factory=list, init=False, repr=False)
    _flushed: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        _require("mlflow", "mlflow", "MLflow")

    def begin(self, facts: RunFacts, done: History) -> None:
        """Begin a run, or go on with the one that the folder names."""
        from mlflow import MlflowClient

        self._client, self._waiting = MlflowClient(tracking_uri=self.uri), []
        self._run = _remembered(facts, "mlflow.json").run if done.steps else ""
        self._told, self._step = _Told(), len(done.steps)
        if self._run:
            self._told = _Told(self._run, self._last("train/loss"), self._last("valid/loss"))
            self._client.update_run(self._run, status="RUNNING")
            return
        self._run = self._begun()
        _remember(facts, "mlflow.json", _Told(self._run))
        for name, value in _parameters(facts).items():
            self._client.log_param(self._run, name, value[:_LONGEST_VALUE])

    def step(self, step: Step) -> None:
        """Keep an update, unless it was kept before the run was stopped."""
        self._step = step.number
        if step.number > self._told.step:
            self._add(curves(step))
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._flush()

    def validation(self, validation: Validation) -> None:
        """Keep the scores on the validation split."""
        if validation.step > self._told.validation:
            self._add(named("valid", validation.scores))
        self._flush()

    def end(self, outcome: Outcome) -> None:
        """Say how training ended."""
        self._flush()
        states = {Outcome.FINISHED: "FINISHED", Outcome.INTERRUPTED: "KILLED"}
        self._client.set_terminated(self._run, states.get(outcome, "FAILED"))

    def evaluation(self, split: str, scores: Mapping[str, float]) -> None:
        """Keep the scores on a split."""
        self._add(named(split, scores))
        self._flush()

    def _begun(self) -> str:
        """Return the id of a new run."""
        found = self._client.get_experiment_by_name(self.experiment)
        experiment = (
            self._client.create_experiment(self.experiment)
            if found is None
            else found.experiment_id
        )
        return str(self._client.create_run(experiment, run_name=self.name).info.run_id)

    def _last(self, name: str) -> int:
        """Return the last update that a curve holds."""
        history = self._client.get_metric_history(self._run, name)
        return max((metric.step for metric in history), default=0)

    def _add(self, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._waiting += [Metric(name, value, now, self._step) for name, value in values.items()]

    def _flush(self) -> None:
        while self._waiting:
            self._client.log_batch(self._run, metrics=self._waiting[:_MOST_METRICS])
            del self._waiting[:_MOST_METRICS]
        self._flushed = time.monotonic()


@dataclass
class WandB:
    """Keeps a run at Weights & Biases; `offline`, or with WANDB_MODE=offline, in the folder alone.

    What is kept offline is sent by `wandb sync`. The run is closed when it failed or was stopped,
    after its first evaluation, or when the process ends. Raises `MissingExtra` without wandb.
    """

    project: str = "manyheads"
    name: str | None = None
    offline: bool = False
    folder: str | Path | None = None
    _run: Any = field(default=None, init=False, repr=False)
    _facts: RunFacts | None = field(default=None, init=False, repr=False)
    _told: _Told = field(default=_Told(), init=False, repr=False)
    _step: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        _require("wandb", "wandb", "Weights & Biases")

    def begin(self, facts: RunFacts, done: History) -> None:
        """Begin a run, or go on with the one that the run's folder names."""
        import wandb

        self._told = _remembered(facts, "wandb.json") if done.steps else _Told()
        folder = self.folder or facts.folder
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
        self._facts, self._step = facts, len(done.steps)
        self._run = wandb.init(
            project=self.project,
            name=self.name,
            id=self._told.run or None,
            resume="allow" if self._told.run and not self.offline else None,
            dir=None if folder is None else str(folder),
            mode="offline" if self.offline else None,
            config={"task": facts.task, "model": dict(facts.model), "rows": dict(facts.rows)}
            | {"recipe": dict(facts.recipe)},
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        self._told = replace(self._told, run=self._run.id)

    def step(self, step: Step) -> None:
        """Keep an update, unless it was kept before the run was stopped."""
        self._step = step.number
        if step.number > self._told.step:
            self._log(curves(step), replace(self._told, step=step.number))

    def validation(self, validation: Validation) -> None:
        """Keep the scores on the validation split, beside the update before them."""
        if validation.step > self._told.validation:
            scores = named("valid", validation.scores)
            self._log(scores, replace(self._told, validation=validation.step))

    def end(self, outcome: Outcome) -> None:
        """Say how training ended; a run that was not stopped waits for its evaluation."""
        self._run.summary["outcome"] = outcome.value
        if outcome is not Outcome.FINISHED:
            self._run.finish(exit_code=1)

    def evaluation(self, split: str, scores: Mapping[str, float]) -> None:
        """Keep the scores on a split, and close the run; later ones are not kept."""
        if self._run is not None:
            self._run.summary.update(named(split, scores))
            self._run.finish()
            self._run = None

    def _log(self, values: Mapping[str, float], told: _Told) -> None:
        assert self._facts is not None
        self._run.log(dict(values), step=self._step)
        self._told = told
        _remember(self._facts, "wandb.json", told)


def _require(module: str, extra: str, purpose: str) -> None:
    """Raise `MissingExtra` where a module is not installed; it is not imported."""
    if importlib.util.find_spec(module) is None:
        raise MissingExtra(module, extra, f"tracking with {purpose}")


def _parameters(facts: RunFacts) -> dict[str, str]:
    """Return all that is known of a run as texts, by names with a point in them."""
    found = {"task": facts.task}
    for group, values in (("model", facts.model), ("rows", facts.rows), ("recipe", facts.recipe)):
        for name, value in values.items():
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found[f"{group}.{name}"] = shown
    return found


def _remembered(facts: RunFacts, name: str) -> _Told:
    """Return what a tracker wrote down in the run's folder."""
    path = None if facts.folder is None else facts.folder / name
    if path is None or not path.is_file():
        return _Told()
    return _Told(**json.loads(path.read_text(encoding="utf-8")))


def _remember(facts: RunFacts, name: str, told: _Told) -> None:
    """Write down in the run's folder what is needed to go on with it."""
    if facts.folder is not None:
        facts.folder.mkdir(parents=True, exist_ok=True)
        temporary = facts.folder / f".{name}.partial"
        temporary.write_text(json.dumps(asdict(told)), encoding="utf-8")
        temporary.replace(facts.folder / name)  # whole after a kill; not worth a flush each update
