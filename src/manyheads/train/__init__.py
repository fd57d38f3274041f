"""Training: how a task is learned.

`Learner` is the front door; behind it, `fitting` is one run, `loop` the generator of steps, and
`recipe`, `schedule`, `optim`, `checkpoint` its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyheads._lazy import lazy

if TYPE_CHECKING:
    from manyheads.train.analysis.analysis import Analysis
    from manyheads.train.back_translation import back_translated
    from manyheads.train.early_stopping import EarlyStopping
    from manyheads.train.learner import Learner
    from manyheads.train.loop import Step, train
    from manyheads.train.mining import mine_negatives
    from manyheads.train.rates.lr_finder import RangeTest
    from manyheads.train.rates.lr_probes import RateProbes
    from manyheads.train.recipe import Recipe
    from manyheads.train.repeats.cross_validation import cross_validate, repeat_seeds
    from manyheads.train.repeats.trials import Trials
    from manyheads.train.report.evaluation import Evaluation
    from manyheads.train.report.run_report import RunReport
    from manyheads.train.schedule import (
        SGDR,
        Constant,
        Cosine,
        InverseSquareRoot,
        Linear,
        OneCycle,
    )
    from manyheads.train.trackers.services import MLflow, TensorBoard, WandB
    from manyheads.train.trackers.tracker import Tracker

__all__ = [
    "SGDR",
    "Analysis",
    "Constant",
    "Cosine",
    "EarlyStopping",
    "Evaluation",
    "InverseSquareRoot",
    "Learner",
    "Linear",
    "MLflow",
    "OneCycle",
    "RangeTest",
    "RateProbes",
    "Recipe",
    "RunReport",
    "Step",
    "TensorBoard",
    "Tracker",
    "Trials",
    "WandB",
    "back_translated",
    "cross_validate",
    "mine_negatives",
    "repeat_seeds",
    "train",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "manyheads.train.analysis.analysis": ("Analysis",),
        "manyheads.train.back_translation": ("back_translated",),
        "manyheads.train.repeats.cross_validation": ("cross_validate", "repeat_seeds"),
        "manyheads.train.early_stopping": ("EarlyStopping",),
        "manyheads.train.learner": ("Learner",),
        "manyheads.train.loop": ("Step", "train"),
        "manyheads.train.rates.lr_finder": ("RangeTest",),
        "manyheads.train.rates.lr_probes": ("RateProbes",),
        "manyheads.train.mining": ("mine_negatives",),
        "manyheads.train.recipe": ("Recipe",),
        "manyheads.train.report.evaluation": ("Evaluation",),
        "manyheads.train.report.run_report": ("RunReport",),
        "manyheads.train.schedule": (
            "SGDR",
            "Constant",
            "Cosine",
            "InverseSquareRoot",
            "Linear",
            "OneCycle",
        ),
        "manyheads.train.trackers.services": ("MLflow", "TensorBoard", "WandB"),
        "manyheads.train.trackers.tracker": ("Tracker",),
        "manyheads.train.repeats.trials": ("Trials",),
    },
)
