"""What TensorBoard, MLflow and Weights & Biases keep, read back by their own readers."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import tiny
from tests.train.broken_off import break_off

import manyheads as mh
from manyheads.errors import MissingExtra
from manyheads.train import Tracker
from manyheads.train.trackers import services as module

STEPS, VALIDATIONS = list(range(1, 9)), [4, 8]


@pytest.fixture(scope="module")
def data() -> mh.Dataset:
    few = tiny.columns(tiny.mood_rows(8, seed=5))
    return tiny.moods(32, valid=few, test=tiny.columns(tiny.mood_rows(8, seed=6)))


def run_in_pieces(data: mh.Dataset, tracker: type, folder: Path, **settings: Any) -> mh.Learner:
    """Break a run off behind its first validation, which no checkpoint has; go on; evaluate."""

    def learner() -> mh.Learner:
        recipe = mh.Recipe(
            batch_size=8, learning_rate=3e-3, epochs=2, probe_examples=0, checkpoint_every=4
        )
        trackers: list[Tracker] = [tracker(**settings)]
        task = mh.Classification()
        return mh.Learner(
            tiny.SCRATCH, task, data, recipe, folder=folder, quiet=True, trackers=trackers
        )

    break_off(learner(), at=7)
    last = learner()
    last.fit(resume=True)
    last.evaluate()
    return last


def losses(learner: mh.Learner) -> list[float]:
    return [pytest.approx(step.loss) for step in learner.history.steps]


@pytest.mark.filterwarnings("error::manyheads.train.trackers.tracker.TrackerWarning")
def test_tensorboard(data: mh.Dataset, tmp_path: Path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    learner = run_in_pieces(data, mh.TensorBoard, tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    kept = events.Scalars("train/loss")
    assert [one.step for one in kept] == STEPS
    assert [one.value for one in kept] == losses(learner)
    assert [one.step for one in events.Scalars("valid/accuracy")] == VALIDATIONS
    assert [one.step for one in events.Scalars("test/accuracy")] == [8]
    said = [one.tensor_proto.string_val[0].decode() for one in events.Tensors("run/text_summary")]
    assert "| recipe.learning_rate | 0.003 |" in said[0]
    ends = [one.tensor_proto.string_val[0] for one in events.Tensors("outcome/text_summary")]
    assert ends[-1] == b"finished"


@pytest.mark.filterwarnings("error::manyheads.train.trackers.tracker.TrackerWarning")
def test_mlflow(data: mh.Dataset, tmp_path: Path):
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed")
    uri = f"sqlite:///{tmp_path}/runs.db"
    learner = run_in_pieces(data, mh.MLflow, tmp_path / "run", uri=uri, experiment="情绪")
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("情绪")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["recipe.learning_rate"] == "0.003"
    assert run.data.params["rows.train"] == "32"
    kept = client.get_metric_history(run.info.run_id, "train/loss")
    assert [one.step for one in kept] == STEPS
    assert [one.value for one in kept] == losses(learner)
    validated = client.get_metric_history(run.info.run_id, "valid/accuracy")
    assert [one.step for one in validated] == VALIDATIONS
    assert run.data.metrics["test/accuracy"] == learner.evaluate().scores.value("accuracy")


@pytest.mark.filterwarnings("error::manyheads.train.trackers.tracker.TrackerWarning")
def test_wandb_offline(data: mh.Dataset, tmp_path: Path):
    pytest.importorskip("wandb", reason="wandb is not installed")
    learner = run_in_pieces(data, mh.WandB, tmp_path, offline=True, name="情绪")
    folders = sorted(tmp_path.glob("wandb/offline-run-*"))
    identity = json.loads((tmp_path / "wandb.json").read_text())
    assert identity["step"] == 8 and identity["validation"] == 8
    paths = [folder / f"run-{identity['run']}.wandb" for folder in folders]
    history = [row for path in paths for row in kept_by_wandb(path)]
    kept = [row for row in history if "train/loss" in row]
    assert [row["_step"] for row in kept] == STEPS
    assert [row["train/loss"] for row in kept] == losses(learner)
    assert [row["_step"] for row in history if "valid/accuracy" in row] == VALIDATIONS


def kept_by_wandb(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run's history, from records in blocks of 32 KiB as LevelDB's log has them."""
    from wandb.proto import wandb_internal_pb2

    content, record = path.read_bytes(), b""
    at = 7  # behind what says that it is such a file
    while at + 7 <= len(content):
        if (room := 32768 - at % 32768) < 7:
            at += room
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last piece
            said = wandb_internal_pb2.Record.FromString(record)
            if said.WhichOneof("record_type") == "history":
                items = said.history.item
                yield {
                    one.key or ".".join(one.nested_key): json.loads(one.value_json) for one in items
                }
            record = b""


def test_what_is_not_installed_is_said_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    for tracker, extra in ((mh.TensorBoard, "tensorboard"), (mh.MLflow, "mlflow")):
        with pytest.raises(MissingExtra, match=rf"pip install 'manyheads\[{extra}\]'"):
            tracker()
    with pytest.raises(MissingExtra, match="Weights & Biases needs the package 'wandb'"):
        mh.WandB()
