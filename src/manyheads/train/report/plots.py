"""Pictures of a training run, drawn with matplotlib's objects and none of its global state."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#1f2933"
_FAINT = "#9aa5b1"
_GRID = "#e4e7eb"
_BLUE = "#2b6cb0"
_ORANGE = "#dd6b20"
_CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "SimHei",
    "SimSun",
    "Arial Unicode MS",
    "Droid Sans Fallback",
)
_FIRST_CJK = "\u2e80"
_LABEL = 32  # characters of a label that are shown


def draw_confusion_matrix(
    labels: Sequence[str],
    counts: Sequence[Sequence[int]],
    path: str | Path,
    title: str = "Confusion matrix",
) -> None:
    """Save a picture of `counts[expected][predicted]`; the suffix of `path` chooses the format.

    A cell's colour is its share of the row, so a diagonal cell shows the recall of its label.
    Raises `MissingExtra` without matplotlib.
    """
    matrix = np.asarray(counts, dtype=float)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(15.0, max(4.2, 2.6 + 0.62 * len(labels)))
    cell = 72 * (side - 2.6) / len(labels)  # points
    figure, axes = _figure(side + 1.0, side)
    picture = axes.imshow(shares, cmap=_blues(), vmin=0.0, vmax=1.0)
    # White lines between the cells; beyond some fifty labels they would cover the cells.
    if len(labels) <= 50:
        axes.set_xticks(np.arange(1, len(labels)) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, len(labels)) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
    if cell > 30:
        _write_counts(axes, matrix, shares)
    names = [_shortened(label) for label in labels]
    axes.set_xticks(range(len(names)), names)
    if len(names) > 3 or max(map(len, names)) > 12:
        for text in axes.get_xticklabels():
            text.set(rotation=40 if cell > 30 else 90, rotation_mode="anchor")
            text.set(ha="right", va="top" if cell > 30 else "center")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(which="both", length=0, labelsize=min(10.0, 0.8 * cell))
    axes.set(xlabel="predicted", ylabel="expected")
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(picture, ax=axes, fraction=0.046, pad=0.03, format=_percent)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=_FAINT)
    bar.set_label("share of the expected label", color=_FAINT, fontsize=8)
    _save(figure, axes, title, path)


def draw_training_curve(
    losses: Sequence[float],
    validations: Sequence[tuple[int, float]],
    metric: str,
    path: str | Path,
    title: str = "Training",
) -> None:
    """Save a picture of the training loss per update and the validation score over it.

    `validations` are (update, value of `metric`) pairs. Raises `MissingExtra` without matplotlib.
    """
    figure, axes = _figure(8.0, 4.2)
    steps = np.arange(1, len(losses) + 1)
    axes.plot(steps, losses, color=_BLUE, linewidth=0.8, alpha=0.3)
    axes.plot(steps, _smooth(losses), color=_BLUE, linewidth=2.0)
    axes.set(xlabel="update", xlim=(0, max(len(losses), 1)))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("training loss", color=_BLUE)
    _open_axes(axes)
    if validations:
        right: Any = axes.twinx()
        at, values = zip(*validations, strict=True)
        right.plot(
            at, values, color=_ORANGE, linewidth=1.5, marker="o", markersize=5, clip_on=False
        )
        right.set_ylabel(f"validation {metric.replace('_', ' ')}", color=_ORANGE)
        right.tick_params(length=0, colors=_FAINT, labelsize=9)
        right.margins(y=0.2)
        # The last value is the one that a reader looks for.
        right.annotate(
            f"{values[-1]:.3f}",
            (at[-1], values[-1]),
            xytext=(-6, 8),
            textcoords="offset points",
            ha="right",
            color=_ORANGE,
            fontweight="bold",
            fontsize=9,
        )
        for spine in right.spines.values():
            spine.set_visible(False)
    _save(figure, axes, title, path)


def draw_learning_rate_search(
    rates: Sequence[float],
    losses: Sequence[float],
    suggestion: float | None,
    path: str | Path,
    title: str = "Learning-rate range test",
) -> None:
    """Save a picture of the loss over the learning rate, on a logarithmic axis.

    Raises `MissingExtra` without matplotlib.
    """
    figure, axes = _figure(7.0, 4.2)
    smooth = _smooth(losses)
    axes.plot(rates, losses, color=_BLUE, linewidth=0.8, alpha=0.3)
    axes.plot(rates, smooth, color=_BLUE, linewidth=2.0)
    axes.set_xscale("log")
    axes.set(xlabel="learning rate", ylabel="training loss")
    # A diverging end must not press the rest flat.
    low, start = float(np.nanmin(smooth)), float(smooth[0])
    room = max(start - low, 0.1 * abs(start), 1e-6)
    axes.set_ylim(low - 0.15 * room, start + 0.6 * room)
    _open_axes(axes)
    if suggestion is not None:
        nearest = int(np.argmin(np.abs(np.log(rates) - np.log(suggestion))))
        axes.axvline(suggestion, color=_ORANGE, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.plot([suggestion], [smooth[nearest]], color=_ORANGE, marker="o", markersize=7)
        _name_suggestion(axes, suggestion)
    _save(figure, axes, title, path)


def draw_probes(
    rounds: Mapping[int, Mapping[float, float]],
    suggestion: float,
    path: str | Path,
    title: str = "Learning rates, tried",
) -> None:
    """Save a picture of held-out losses over learning rates, a line for each number of updates.

    Raises `MissingExtra` without matplotlib.
    """
    figure, axes = _figure(7.0, 4.2)
    for number, (steps, losses) in enumerate(rounds.items(), start=1):
        finite = sorted((rate, loss) for rate, loss in losses.items() if np.isfinite(loss))
        strength = number / len(rounds)
        axes.plot(*zip(*finite, strict=True), color=_BLUE, alpha=strength, marker="o", linewidth=2)
        rate, loss = finite[0]
        axes.annotate(
            f"{steps} updates",
            (rate, loss),
            xytext=(0, 7),
            textcoords="offset points",
            color=_FAINT,
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.set(xlabel="learning rate", ylabel="held-out loss")
    # What diverges must not press the rest flat.
    found = sorted(one for losses in rounds.values() for one in losses.values())
    low, middle = found[0], found[len(found) // 2]
    room = max(middle - low, 0.1 * abs(low), 1e-6)
    axes.set_ylim(low - 0.3 * room, low + 3 * room)
    _open_axes(axes)
    axes.axvline(suggestion, color=_ORANGE, linewidth=1.2, linestyle=(0, (4, 3)))
    _name_suggestion(axes, suggestion)
    _save(figure, axes, title, path)


def _name_suggestion(axes: Axes, rate: float) -> None:
    """Write the suggested rate beside its line."""
    axes.annotate(
        f"suggestion: {rate:.1e}",
        (rate, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(-7, 0),
        textcoords="offset points",
        ha="right",
        va="top",
        color=_ORANGE,
        fontweight="bold",
        fontsize=9,
    )


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure of `width` times `height` inches with one pair of axes."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib", "plot", "drawing a picture") from None
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained", facecolor="white")
    return figure, figure.add_subplot()


def _save(figure: Figure, axes: Axes, title: str, path: str | Path) -> None:
    """Give all texts one look, in fonts that have their characters, and write the picture."""
    from matplotlib.text import Text

    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=_INK, pad=12)
    texts: list[Any] = figure.findobj(Text)
    for text in texts:
        if any(character >= _FIRST_CJK for character in text.get_text()):
            # Few CJK fonts have a bold face, and matplotlib complains about each that has none.
            text.set(fontfamily=_cjk_families(), fontweight="normal")
        else:
            text.set_fontfamily("DejaVu Sans")
    with warnings.catch_warnings():
        # Said once by _cjk_families, not again for each character.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(path, bbox_inches="tight", pad_inches=0.15)


@functools.cache
def _cjk_families() -> list[str]:
    """Return fonts to try for each character in turn; warns, once, where none has CJK."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    found = next((name for name in _CJK_FONTS if name in installed), None)
    if found is None:
        warnings.warn(
            "no font with Chinese, Japanese or Korean characters was found, so the picture shows "
            "boxes for them; install one, such as Noto Sans CJK",
            UserWarning,
            stacklevel=2,
        )
        return ["DejaVu Sans"]
    return ["DejaVu Sans", found]


def _write_counts(axes: Axes, matrix: np.ndarray, shares: np.ndarray) -> None:
    for row, column in np.ndindex(matrix.shape):
        if matrix[row, column]:
            axes.text(
                column,
                row,
                f"{int(matrix[row, column]):,}",
                ha="center",
                va="center",
                fontsize=9,
                fontweight="bold" if row == column else "normal",
                color="white" if shares[row, column] > 0.55 else _INK,
            )


def _open_axes(axes: Axes) -> None:
    """Keep the two lines that carry the scales and a faint grid behind the data."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.tick_params(which="both", length=0, colors=_FAINT, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _smooth(values: Sequence[float]) -> np.ndarray:
    """Return a moving average that follows the curve without lagging behind it."""
    array = np.asarray(values, dtype=float)
    if len(array) == 0:
        return array
    sigma = max(1.0, len(array) / 50)
    distances = np.arange(-int(3 * sigma), int(3 * sigma) + 1)
    kernel = np.exp(-0.5 * (distances / sigma) ** 2)
    # Dividing by the weights that lie inside keeps both ends unbiased.
    total = np.convolve(np.ones_like(array), kernel, mode="full")
    smooth = np.convolve(array, kernel, mode="full") / total
    margin = len(distances) // 2
    return smooth[margin : margin + len(array)]


def _shortened(label: str) -> str:
    return label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"


def _percent(share: float, position: int) -> str:
    return f"{share:.0%}"


def _blues() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("share", ["#f3f6fa", "#90b4dc", "#1e4e8c"])
