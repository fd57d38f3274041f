"""Documents longer than a model reads: translated by sentences, summarised by parts.

translate   sentences ─→ translations ─→ put together with the white space between them
summarize   parts that fit ─→ summaries, joined ─→ the same again while they are too long

Both are plans that say what they need written next, whoever writes it.
"""

from __future__ import annotations

from collections.abc import Generator as Coroutine
from collections.abc import Iterator, Sequence
from dataclasses import replace

from manyheads.errors import GenerationError
from manyheads.text.sentences import joined, packed, sentences
from manyheads.writer.generator import USUAL, Generator
from manyheads.writer.results import Document, Written
from manyheads.writer.wording import Wording

# How a document comes about: texts to be written, what was written for them, and in the end it.
Plan = Coroutine[list[str], list[Written], Document]

_SUMMARIZATION = "summarization"  # as folders name it
_SUMMARIZE = "Summarize the following text."


def translate(
    generator: Generator,
    texts: Sequence[str],
    wording: Wording = USUAL,
    *,
    whole: bool = False,
    names: Sequence[str] = (),
) -> Iterator[Document]:
    """Yield the translation of each text, in their order, as soon as it is there.

    Texts are cut into sentences, unless they are to be read `whole`, and put together again with
    their white space. `wording` names the languages where the model knows several: by the codes of
    its tokenizer, by T5's names of tasks, or, for a model that chats, in any words.
    Raises `GenerationError` before anything is written.
    """
    wording = translating(generator, wording)
    plans = [translation([text] if whole else sentences(text)) for text in texts]
    return _carried_out(generator, plans, wording, _named(texts, names))


def summarize(
    generator: Generator,
    texts: Sequence[str],
    wording: Wording = USUAL,
    *,
    names: Sequence[str] = (),
) -> Iterator[Document]:
    """Yield the summary of each text, in their order, as soon as it is there.

    A text that is longer than the model reads is summarised in parts, cut between sentences, and
    their summaries, joined, are summarised again while they are longer than one may be. `names`
    are what the texts are called in messages.
    Raises `GenerationError` before anything is written, or where that does not end.
    """
    wording = summarizing(generator, wording)
    names = _named(texts, names)
    plans = [summary(generator, *one, wording) for one in zip(texts, names, strict=True)]
    return _carried_out(generator, plans, wording, names)


def translation(pieces: Sequence[str]) -> Plan:
    """Translate the pieces of a text, and put them together with their white space."""
    written = yield [piece.strip() for piece in pieces if piece.strip()]
    found = iter(written)
    texts = [next(found).text if piece.strip() else "" for piece in pieces]
    return Document(joined(pieces, texts), tuple(written))


def summary(generator: Generator, text: str, name: str, wording: Wording) -> Plan:
    """Summarise a text, then the summaries of its parts until they are as short as one may be."""
    limit, found = generator.settings(wording).max_tokens, list[Written]()
    while True:
        written = yield _parts(generator, text, name, wording)
        found += written
        short = "\n".join(one.text.strip() for one in written)
        if len(written) == 1 or generator.tokens(short) <= limit:
            return Document(short, tuple(found))
        if generator.tokens(short) >= generator.tokens(text):
            raise GenerationError(
                f"{name}: the summaries of {len(written)} parts are not shorter than the text; "
                f"choose a smaller max_tokens than {limit}"
            )
        text = short


def _carried_out(
    generator: Generator, plans: Sequence[Plan], wording: Wording, names: Sequence[str]
) -> Iterator[Document]:
    """Yield what comes of each plan, in their order; what all need first is written together."""
    needed = [next(plan) for plan in plans]
    owners = [name for parts, name in zip(needed, names, strict=True) for _ in parts]
    written = generator.in_turn([part for parts in needed for part in parts], wording, owners)

    def documents() -> Iterator[Document]:
        for plan, parts, name in zip(plans, needed, names, strict=True):
            outputs = [next(written)[0] for _ in parts]
            while True:
                try:
                    again = plan.send(outputs)
                except StopIteration as over:
                    yield over.value
                    break
                turns = generator.in_turn(again, wording, [name] * len(again))
                outputs = [some[0] for some in turns]

    return documents()


def _named(texts: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    return names or [f"text {number}" for number in range(1, len(texts) + 1)]


def _parts(generator: Generator, text: str, name: str, wording: Wording) -> list[str]:
    """Return as few parts as fit; all of a text that may be cut is one."""
    if wording.truncate:
        return [text]
    try:
        return packed(sentences(text), lambda part: generator.fits(part, wording))
    except ValueError as error:
        if isinstance(error, GenerationError):
            raise
        raise GenerationError(
            f"{name}: no part of it fits beside the instruction and the summary; choose a smaller "
            "max_tokens"
        ) from error


def summarizing(generator: Generator, wording: Wording) -> Wording:
    """Return the wording by which a model summarises: a task of its folder, or an instruction."""
    if generator.reads:
        known = wording.task is None and _SUMMARIZATION in generator.tasks
        return replace(wording, task=_SUMMARIZATION) if known else wording
    return replace(wording, instruction=wording.instruction or _SUMMARIZE)


def translating(generator: Generator, wording: Wording) -> Wording:
    """Return the wording by which a model translates between the languages of a wording.

    Raises `GenerationError` for a model that does not know what to write in and is not told.
    """
    source, target = wording.source_language, wording.target_language
    task = f"translation_{source}_to_{target}"
    if generator.reads and task in generator.tasks:
        return replace(wording, task=task, source_language=None, target_language=None)
    if generator.reads and target is None:
        _require_language(generator, wording)
    if generator.reads or wording.instruction is not None:
        return wording
    if target is None:
        raise GenerationError(
            "a model that chats must be told the language to translate into; choose such as German"
        )
    into = f"Translate the following text{f' from {source}' if source else ''} into {target}."
    return replace(wording, instruction=into, source_language=None, target_language=None)


def _require_language(generator: Generator, wording: Wording) -> None:
    """Refuse a model of several languages whose folder does not say in which of them it writes."""
    writing, known = generator.writing(wording), generator.languages.framing
    if known and not generator.languages.begins((*writing.starts, *writing.settings.prefix)):
        codes = sorted(known)
        some = ", ".join(codes[:12]) + (", …" if len(codes) > 12 else "")
        raise GenerationError(
            f"this model writes in {len(codes)} languages and must be told in which; choose one of "
            f"{some}"
        )
