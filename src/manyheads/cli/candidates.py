"""Labels that are asked for without training: `--candidate`, and what stands around them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli.opening import device_of
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.predict import ZeroShot

Candidate = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL[=WORDS]",
        help="Ask for this label without training: DIR is a model of vectors, or of entailment. "
        "Repeatable, also for one label with other words.",
    ),
]
Template = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", help="What each candidate stands in, such as 'This text is about {}.'"
    ),
]
MultiLabel = Annotated[
    bool, typer.Option("--multi-label", help="Any number of the candidates may fit.")
]


@dataclass(frozen=True)
class Candidates:
    """Labels of which the best one is asked for, or all that fit."""

    candidate: Candidate = None
    template: Template = None
    multi_label: MultiLabel = False

    def opened(self, reference: str, device: str | None) -> ZeroShot | None:
        """Return what chooses among them, None where there are none.

        Raises `DataError` for the other options without any, and what `ZeroShot` raises.
        """
        if not self.candidate:
            if self.template is not None or self.multi_label:
                option = "--multi-label" if self.template is None else "--template"
                raise DataError(f"{option} is for labels without training; give --candidate LABEL")
            return None
        from manyheads.predict import ZeroShot
        from manyheads.predict.zero_shot import TEMPLATE

        return ZeroShot.open(
            reference,
            self._described(),
            template=TEMPLATE if self.template is None else self.template,
            multi_label=self.multi_label,
            device=device_of(device),
        )

    def _described(self) -> dict[str, list[str]]:
        labels: dict[str, list[str]] = defaultdict(list)
        for given in self.candidate or ():
            name, _, words = given.partition("=")
            labels[name.strip()].append(words.strip() or name.strip())
        return dict(labels)
