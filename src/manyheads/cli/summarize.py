"""`manyheads summarize`: long texts in short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyheads.cli import answers, options
from manyheads.cli.unfold import unfolded
from manyheads.cli.writing import Model, Search, Texts


@unfolded
def summarize(
    model: Model,
    texts: Texts,
    search: Search,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Summarise texts of any length.

    \b
    Examples:
      manyheads summarize --model MODEL --whole < article.txt
      manyheads summarize --model MODEL --beam 4 --file news.csv --text body --out short.csv

    A text that is longer than the model reads is summarised in parts, and the summaries again,
    until they are as short as one may be. --truncate reads its beginning alone. With --nbest a text
    must be short enough.
    """
    texts.check(as_json)
    wording = search.wording()
    read = texts.read(quiet)
    generator = model.open(quiet)
    from manyheads.writer import summarize as summarized
    from manyheads.writer import summarizing

    alone = len(read.texts) == 1 and texts.file is None
    several = wording.n_best > 1

    def answering(some: Sequence[str], names: Sequence[str]) -> Iterator[answers.Answer]:
        if several:
            for outputs in generator.in_turn(some, summarizing(generator, wording), names):
                yield answers.of_outputs(outputs, "summary", wording, one_line=not alone)
            return
        for document in summarized(generator, some, wording):
            yield answers.of_document(document, "summary", wording, one_line=not alone)

    columns = ("summary", *(["score"] if several else []), "truncated")
    answers.answer(read, answering, columns, out=texts.out, quiet=quiet, as_json=as_json)
