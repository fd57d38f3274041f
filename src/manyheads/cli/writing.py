"""Groups of options of the commands that write: the model, the search, the texts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options, tables
from manyheads.cli.answers import Read
from manyheads.cli.opening import busy, device_of
from manyheads.cli.output import notice
from manyheads.errors import DataError, GenerationError

if TYPE_CHECKING:
    from manyheads.generate.settings import Strategy
    from manyheads.writer import Generator, Wording


@dataclass(frozen=True)
class Model:
    """What writes, and how much at once."""

    model: Annotated[
        str,
        typer.Option(
            metavar="REF", help="Folder, GGUF file, package:NAME/PATH or Hub id of what writes."
        ),
    ]
    device: options.Device = None
    max_source: Annotated[
        int | None,
        typer.Option(help="The most tokens of a text; by default what the model's folder says."),
    ] = None
    batch_tokens: Annotated[
        int, typer.Option(help="The most tokens of texts that are read at once.")
    ] = 8192
    rows: Annotated[
        int, typer.Option(help="The most outputs in work at once, beams and samples counted.")
    ] = 256

    draft: Annotated[
        str | None,
        typer.Option(
            metavar="REF|rounded|text",
            help="What guesses ahead, so that one text is written faster, and not otherwise: a "
            "smaller model, a rounded copy of the model, or what stood in the text before.",
        ),
    ] = None

    def open(self, quiet: bool) -> Generator:
        """Return the generator."""
        with busy("opening the model", quiet):
            from manyheads.generate import Lookup, Rounded
            from manyheads.writer import Generator

            device = device_of(self.device)
            draft: Generator | Rounded | Lookup | None
            match self.draft:
                case "rounded":
                    draft = Rounded()
                case "text":
                    draft = Lookup()
                case None:
                    draft = None
                case _:
                    draft = Generator(self.draft, device=device)
            return Generator(
                self.model,
                device=device,
                max_rows=self.rows,
                batch_tokens=self.batch_tokens,
                longest=self.max_source,
                draft=draft,
            )


@dataclass(frozen=True)
class Search:
    """How to write: what is not given is as the model's folder says."""

    greedy: Annotated[
        bool, typer.Option("--greedy", help="Take the most probable token at every step.")
    ] = False
    beam: Annotated[int | None, typer.Option(metavar="N", help="Search with so many beams.")] = None
    length_penalty: Annotated[
        float | None, typer.Option(help="Of beams: above 0 favours longer outputs; 1 is usual.")
    ] = None
    sample: Annotated[bool, typer.Option("--sample", help="Draw tokens by their probability.")] = (
        False
    )
    temperature: Annotated[
        float | None, typer.Option(help="Of samples: below 1 is more probable, above 1 wilder.")
    ] = None
    top_k: Annotated[
        int | None, typer.Option(help="Of samples: only the so many most probable tokens.")
    ] = None
    top_p: Annotated[
        float | None, typer.Option(help="Of samples: only the fewest that hold this share.")
    ] = None
    min_p: Annotated[
        float | None,
        typer.Option(help="Of samples: only tokens of this share of the most probable one's."),
    ] = None
    seed: Annotated[int, typer.Option(help="Of samples: the same one draws the same.")] = 0
    nbest: Annotated[int, typer.Option(metavar="N", help="How many outputs of each text.")] = 1
    max_tokens: Annotated[int | None, typer.Option(help="The most tokens of an output.")] = None
    min_tokens: Annotated[int | None, typer.Option(help="The fewest tokens of an output.")] = None
    repetition_penalty: Annotated[
        float | None, typer.Option(help="Above 1 makes tokens rarer that are there already.")
    ] = None
    no_repeat_ngram: Annotated[
        int | None, typer.Option(metavar="N", help="No run of N tokens occurs twice.")
    ] = None
    ban: Annotated[
        list[str] | None,
        typer.Option(metavar="PHRASE", help="No output holds this. Repeatable."),
    ] = None
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="PHRASE", help="Every output holds this. Repeatable."),
    ] = None
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="How every output begins.")] = ""
    stop: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Where this would come, an output ends. Repeatable."),
    ] = None
    instruction: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What to do with each text: asked of a model that chats, else put in front.",
        ),
    ] = None
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Cut texts that are too long, and say so.")
    ] = False

    def wording(self) -> Wording:
        """Return the settings; raises `GenerationError` for those that exclude each other."""
        from manyheads.writer import Wording

        return Wording(
            strategy=self.strategy(),
            n_best=self.nbest,
            max_tokens=self.max_tokens,
            min_tokens=self.min_tokens,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram=self.no_repeat_ngram,
            banned=tuple(self.ban or ()),
            required=tuple(self.require or ()),
            prefix=self.prefix,
            stop=tuple(self.stop or ()),
            instruction=self.instruction,
            truncate=self.truncate,
            seed=self.seed,
        )

    def strategy(self) -> Strategy | None:
        """Return how tokens are chosen; None where no option says it."""
        from manyheads.generate import Beam, Greedy, Sample

        drawing = {
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "min_p": self.min_p,
        }
        drawing = {name: value for name, value in drawing.items() if value is not None}
        named = {
            "--greedy": self.greedy,
            "--beam": self.beam is not None,
            "--sample": self.sample or bool(drawing),
        }
        chosen = [name for name, given in named.items() if given]
        if len(chosen) > 1:
            raise GenerationError(f"{' and '.join(chosen)} are different searches; choose one")
        if self.length_penalty is not None and self.beam is None:
            raise GenerationError(f"--length-penalty {self.length_penalty} needs --beam")
        if self.beam is not None:
            penalty = 1.0 if self.length_penalty is None else self.length_penalty
            return Beam(self.beam, penalty)
        if named["--sample"]:
            return Sample(**drawing)
        return Greedy() if self.greedy else None


@dataclass(frozen=True)
class Texts:
    """What is read, and where the answers go."""

    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts; without any, the lines of stdin."),
    ] = None
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A table with a column of texts; - for JSON Lines."),
    ] = None
    text: Annotated[
        str | None, typer.Option(metavar="COL", help="Its column of texts, if not 'text'.")
    ] = None
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where to write all columns with the answers behind: .csv, .tsv, .jsonl, "
            ".parquet; - for JSON Lines on stdout.",
        ),
    ] = None
    encoding: options.Encoding = None
    whole: Annotated[
        bool, typer.Option("--whole", help="Read stdin as one text, not line by line.")
    ] = False

    def check(self, as_json: bool) -> None:
        """Raise `DataError` before any work is done, for options that exclude each other."""
        if self.texts and self.file is not None:
            raise DataError("texts and --file are both given; give one of them")
        if self.text is not None and self.file is None:
            raise DataError("--text names a column; it needs --file")
        if self.whole and (self.texts or self.file is not None):
            raise DataError("--whole is for stdin; leave it out where texts or --file are given")
        if self.out is not None:
            tables.require_writable(self.out)
            if as_json and self.out == tables.PIPE:
                raise DataError(f"--out {self.out} and --json both write to stdout; choose one")

    def read(self, quiet: bool, target: str | None = None) -> Read:
        """Return the table, which also has a column `target`, or the texts as one."""
        if self.file is not None:
            table = tables.read_any(self.file, self.encoding, (self.text, target))
            texts = tables.texts_of(table, self.text)
            names = [f"{table.source}, {table.unit} {row}" for row in table.rows]
            return Read(table.columns, texts, names, table)
        if self.texts:
            return Read({"text": self.texts}, self.texts, _counted("text", self.texts))
        if sys.stdin.isatty():
            notice("reading texts from the keyboard, one per line; Ctrl-D ends them", quiet)
        lines = tables.read_lines()
        if self.whole:
            lines = ["\n".join(lines)]
        return Read({"text": lines}, lines, _counted("line", lines))


def _counted(what: str, texts: Sequence[str]) -> list[str]:
    return [f"{what} {number}" for number in range(1, len(texts) + 1)]
