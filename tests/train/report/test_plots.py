from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.image import imread

from manyheads.errors import MissingExtra
from manyheads.train.report import plots
from manyheads.train.report.plots import (
    draw_confusion_matrix,
    draw_learning_rate_search,
    draw_training_curve,
)


def has_ink(path: Path, color: str, at_least: int = 30) -> bool:
    """Return whether a picture holds pixels of `color`, such as ``#2b6cb0``."""
    wanted = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    pixels = imread(path)[..., :3]
    return bool((np.abs(pixels - wanted).max(axis=-1) < 0.02).sum() >= at_least)


def test_confusion_matrix_is_dark_where_the_counts_are(tmp_path: Path):
    right, wrong = tmp_path / "right.png", tmp_path / "wrong.png"
    draw_confusion_matrix(["a", "b"], [[9, 0], [0, 9]], right)
    draw_confusion_matrix(["a", "b"], [[0, 9], [9, 0]], wrong)
    darkness = imread(right)[..., 0] - imread(wrong)[..., 0]
    rows, columns = np.nonzero(darkness < -0.5)  # dark in the one that is right
    upper = rows < np.median(rows)
    assert columns[upper].mean() < columns[~upper].mean()  # a falling diagonal


@pytest.mark.parametrize("labels", [1, 2, 12, 60])
def test_confusion_matrix_of_any_size(tmp_path: Path, labels: int):
    path = tmp_path / "matrix.png"
    names = [f"a rather long name of a label, number {i}" for i in range(labels)]
    draw_confusion_matrix(names, np.eye(labels, dtype=int).tolist(), path)
    assert has_ink(path, "#1e4e8c")


def test_a_label_without_rows_is_no_division_by_zero(tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_confusion_matrix(["a", "b"], [[3, 0], [0, 0]], tmp_path / "matrix.png")


def test_training_curve_shows_loss_and_validation(tmp_path: Path):
    path = tmp_path / "curve.png"
    draw_training_curve([1.0, 0.8, 0.5, 0.3], [(2, 0.6), (4, 0.8)], "accuracy", path)
    assert has_ink(path, plots._BLUE)
    assert has_ink(path, plots._ORANGE)
    draw_training_curve([1.0], [], "accuracy", path)
    assert has_ink(path, plots._BLUE)
    assert not has_ink(path, plots._ORANGE)


def test_learning_rate_search_marks_the_suggestion(tmp_path: Path):
    path = tmp_path / "search.svg"
    rates = np.logspace(-6, 0, 60)
    losses = [*np.linspace(2, 1, 50), *np.linspace(1, 1e6, 10)]
    draw_learning_rate_search(rates.tolist(), losses, 2e-3, path)
    draw_learning_rate_search(rates.tolist(), losses, 2e-3, tmp_path / "search.png")
    assert path.read_text().startswith("<?xml")
    assert has_ink(tmp_path / "search.png", plots._ORANGE)


def test_smoothing_keeps_constants_and_does_not_lag():
    assert plots._smooth([3.0] * 200) == pytest.approx([3.0] * 200)
    straight = np.linspace(0, 1, 301)
    middle = slice(50, -50)
    assert plots._smooth(straight)[middle] == pytest.approx(straight[middle])
    assert len(plots._smooth([])) == 0


def test_chinese_labels_render_or_are_warned_of_once(tmp_path: Path):
    plots._cjk_families.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            draw_confusion_matrix(["正面", "负面"], [[5, 1], [2, 6]], tmp_path / "matrix.png")
    found = len(plots._cjk_families()) > 1
    assert len(caught) == (0 if found else 1)
    if not found:
        assert "install one, such as Noto Sans CJK" in str(caught[0].message)


def test_pictures_leave_pyplot_and_its_settings_alone(tmp_path: Path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw_training_curve([1.0, 0.5], [(2, 0.6)], "accuracy", tmp_path / "curve.png")
    assert dict(matplotlib.rcParams) == before
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"pip install 'manyheads\[plot\]'"):
        draw_training_curve([1.0], [], "accuracy", tmp_path / "curve.png")
