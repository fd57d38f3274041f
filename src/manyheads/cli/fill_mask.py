"""`manyheads fill-mask`: which tokens stand behind the masks of texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import answers, options
from manyheads.cli.opening import busy, opened_as
from manyheads.cli.unfold import unfolded
from manyheads.cli.writing import Texts

if TYPE_CHECKING:
    from manyheads.predict import Candidate, Filled

_AT_ONCE = 500  # texts, whose answers are then printed

Model = Annotated[
    str,
    typer.Option(
        metavar="REF", help="Folder, package:NAME/PATH or Hub id of a model that fills in masks."
    ),
]
Top = Annotated[int, typer.Option(metavar="N", help="How many tokens are named for each mask.")]


@unfolded
def fill_mask(
    model: Model,
    texts: Texts,
    top: Top = 5,
    device: options.Device = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Fill in the masks of texts.

    \b
    Examples:
      manyheads fill-mask --model MODEL "Paris is the [MASK] of France."
      manyheads fill-mask --model MODEL --top 1 < lines.txt | cut -f 1
      manyheads fill-mask --model MODEL --file texts.csv --text body --out filled.csv

    Each line is the text with the most probable tokens, and for each mask the --top best ones with
    their probability. A mask is written as the model's tokenizer has it: [MASK] or <mask>.
    """
    texts.check(as_json)
    read = texts.read(quiet)
    with busy("opening the model", quiet):
        from manyheads.predict import MaskFiller

        otherwise = "fills in no masks; choose one that was published or trained for masked tokens"
        filler = opened_as(MaskFiller, model, device, otherwise)

    def answering(some: Sequence[str], names: Sequence[str]) -> Iterator[answers.Answer]:
        for start in range(0, len(some), _AT_ONCE):
            chunk = slice(start, start + _AT_ONCE)
            for one in filler.fill(some[chunk], top, names[chunk]):
                yield _answer(one)

    columns = {"filled": "", "tokens": [], "probabilities": [], "truncated": None}
    answers.answer(read, answering, columns, out=texts.out, quiet=quiet, as_json=as_json)


def _answer(filled: Filled) -> answers.Answer:
    """Return what is said of a text: a table names the best token for each mask, JSON all."""
    best = [some[0] for some in filled.candidates]
    flat = " ".join(filled.text.split())
    return answers.Answer(
        lines=["\t".join([flat, *map(_said, filled.candidates)])],
        columns={
            "filled": filled.text,
            "tokens": [one.token for one in best],
            "probabilities": [one.probability for one in best],
            "truncated": filled.truncated,
        },
        details={"masks": [[asdict(one) for one in some] for some in filled.candidates]},
        truncated=filled.truncated,
    )


def _said(candidates: Sequence[Candidate]) -> str:
    return " ".join(f"{one.token} {one.probability:.4f}" for one in candidates)
