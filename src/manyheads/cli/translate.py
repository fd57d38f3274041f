"""`manyheads translate`: texts in another language, sentence by sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from manyheads.cli import answers, options
from manyheads.cli.unfold import unfolded
from manyheads.cli.writing import Model, Search, Texts

From = Annotated[
    str | None,
    typer.Option("--from", metavar="CODE", help="Language of the texts, as the model names it."),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="CODE",
        help="Language to write in, where the model knows several; for one that chats, in words.",
    ),
]
WholeLines = Annotated[
    bool,
    typer.Option("--whole-texts", help="Do not cut texts into sentences."),
]


@unfolded
def translate(
    model: Model,
    texts: Texts,
    search: Search,
    source: From = None,
    target: To = None,
    whole_texts: WholeLines = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Translate texts.

    \b
    Examples:
      manyheads translate --model MODEL "The weather is fine today."
      manyheads translate --model MODEL --from en --to de --beam 5 < english.txt > german.txt
      manyheads translate --model MODEL --file news.csv --text body --out german.csv

    Texts are cut into sentences and put together again with their white space. With --nbest each
    text is translated as a whole.
    """
    texts.check(as_json)
    wording = replace(search.wording(), source_language=source, target_language=target)
    read = texts.read(quiet)
    generator = model.open(quiet)
    from manyheads.writer import translate as translated
    from manyheads.writer import translating

    answers.answer_documents(
        read,
        "translation",
        wording,
        documents=lambda some, names: translated(
            generator, some, wording, whole=whole_texts, names=names
        ),
        outputs=lambda some, names: generator.in_turn(some, translating(generator, wording), names),
        out=texts.out,
        quiet=quiet,
        as_json=as_json,
    )
