"""`manyheads summarize`: long texts in short."""

from __future__ import annotations

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

    answers.answer_documents(
        read,
        "summary",
        wording,
        documents=lambda some, names: summarized(generator, some, wording, names=names),
        outputs=lambda some, names: generator.in_turn(some, summarizing(generator, wording), names),
        out=texts.out,
        quiet=quiet,
        as_json=as_json,
    )
