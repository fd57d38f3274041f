"""The options that say which rows there are to learn from, and which are held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli import options
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.data import Dataset

_USUAL_SHARE = "0.1"  # of the rows, to validate on


@dataclass(frozen=True)
class HeldOut:
    """Which rows are held out of training."""

    valid: options.Valid = None
    test: options.Test = None
    seed: options.Seed = 0


@dataclass(frozen=True)
class Labelled:
    """Texts with labels or targets, or images with labels, and where they stand in their table."""

    data: options.Data
    text: options.Text = None
    image: options.Image = None
    label: options.Label = None
    pair: options.Pair = None
    negative: options.Negative = None
    target: options.Target = None
    drop_empty: options.DropEmpty = False
    drop_broken: options.DropBroken = False
    encoding: options.Encoding = None

    def read(
        self,
        held_out: HeldOut | None = None,
        *,
        images: bool = False,
        together: str | None = None,
        keep_empty: bool = False,
    ) -> Dataset:
        """Read it, with what `held_out` says apart from the rest.

        With `images`, and where the data are nothing else, they are read as images. Rows that are
        equal in the role `together` are held out together. With `keep_empty`, pairs with an empty
        side are no error, unless they are to be dropped.
        """
        from manyheads.cli.heads_file import ENDING, read_heads_file
        from manyheads.data import holds_images, read

        held_out = held_out or HeldOut(valid="0")
        if self.data.endswith(ENDING):
            self._refuse_columns()
            valid = _share_or_source(held_out.valid or _USUAL_SHARE)
            test = _share_or_source(held_out.test)
            return read_heads_file(Path(self.data), valid, test, held_out.seed)
        if images or self.image is not None or holds_images(self.data):
            return self._read_images(held_out)
        return read(
            self.data,
            text=self.text,
            label=self.label,
            pair=self.pair,
            negative=self.negative,
            target=self.target,
            drop_empty=None if keep_empty and not self.drop_empty else self.drop_empty,
            encoding=self.encoding,
            valid=_share_or_source(held_out.valid or _USUAL_SHARE),
            test=_share_or_source(held_out.test),
            seed=held_out.seed,
            together=together,
        )

    def _refuse_columns(self) -> None:
        """Raise `DataError` for columns beside a file that names those of every head."""
        columns = ("text", "image", "label", "pair", "negative", "target", "encoding")
        given = next((name for name in columns if getattr(self, name) is not None), None)
        if given is not None:
            raise DataError(f"--{given} is for a table; say it for the heads in {self.data}")

    def _read_images(self, held_out: HeldOut) -> Dataset:
        from manyheads.data import read_images

        for option, value in (("text", self.text), ("pair", self.pair), ("target", self.target)):
            if value is not None:
                raise DataError(f"--{option} {value} is for texts; name images by --image COL")
        return read_images(
            self.data,
            image=self.image,
            label=self.label,
            drop_broken=self.drop_broken,
            encoding=self.encoding,
            valid=_share_or_source(held_out.valid or _USUAL_SHARE),
            test=_share_or_source(held_out.test),
            seed=held_out.seed,
        )


def _share_or_source(value: str | None) -> float | str | None:
    """Return a share of the rows as a number, and anything else as the source that it names."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return value
