"""Pieces of SentencePiece as a tokenizer of the ``tokenizers`` library, to equal ids.

" Hello  world "  →  characters replaced  →  "▁Hello world"  →  ▁Hello ▁world  →  their pieces

What a model's file says of pieces is one thing, which number each has is another: families put
tokens of their own before and behind them, or number them by a list. A list of two languages has
pieces that the model of one does not know. They are read where unknown characters, all that stand
together, spell one; elsewhere they are not, and for that they are marked in the vocabulary.

What remains different is rare:

- A character that is replaced loses the accent behind it, where the two are written apart, as in
  all tokenizers of that library.
- A piece that a list leaves out is not used, so that its text is cut into others; SentencePiece
  would find it, and the list not know it.
- Behind a symbol that users of BPE defined, text begins with a space, as behind special tokens.
- A text that spells the name of a byte, such as <0x41>, may be read as that byte by Unigram.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Core

from manyheads.text.sentencepiece import Kind, PieceModel, Segmentation

_SPACE = "▁"  # what stands for a space in pieces
_MARK = "\uffff"  # no character, so that no text holds it


def piece_core(
    model: PieceModel, tokens: Sequence[str], special: Sequence[AddedToken], once: bool = False
) -> Core:
    """Return a tokenizer of the ``tokenizers`` library, with nothing around a text yet.

    Args:
        model: The pieces, and how a text is cut into them.
        tokens: The token of each id.
        special: Tokens that stand for themselves wherever they occur.
        once: Whether a space is put in front of whole texts alone, not behind special tokens.
    """
    steps, marks = _normalizers(model, once), False
    if model.segmentation is Segmentation.UNIGRAM:
        spelled = _spelled(model, tokens, {token.content for token in special})
        marks = spelled != list(tokens)
        core = Core(_unigram(model, spelled))
    else:
        core = Core(_byte_pairs(model, tokens))
    if marks:
        steps.append(normalizers.Replace(_around_unknown(_characters(model)), _MARK))
    core.normalizer = normalizers.Sequence(steps)
    core.pre_tokenizer = pre_tokenizers.Metaspace(
        _SPACE,
        prepend_scheme="first" if once and model.leading_space else "never",
        # Words apart where no piece reaches over a space: faster, and a word has a number.
        split=not any(_SPACE in piece.text[1:] for piece in model.pieces),
    )
    core.decoder = _decoder(model, marks)
    core.add_tokens(_whole(model))
    core.add_special_tokens(list(special))
    return core


def _spelled(model: PieceModel, tokens: Sequence[str], own: set[str]) -> list[str]:
    """Return tokens with marks around those that are neither pieces of the model nor special."""
    known = own | {piece.text for piece in model.pieces if piece.kind is not Kind.UNUSED}
    return [token if token in known else f"{_MARK}{token}{_MARK}" for token in tokens]


def _characters(model: PieceModel) -> set[str]:
    """Return the characters that pieces spell."""
    spelling = (Kind.NORMAL, Kind.USER_DEFINED)
    return set().union(*(piece.text for piece in model.pieces if piece.kind in spelling))


def _around_unknown(characters: set[str]) -> Regex:
    """Return what finds the two ends of every run of characters that are not among these."""
    known = "".join(rf"\x{{{ord(one):x}}}" for one in sorted({*characters, " ", _SPACE}))
    begins = rf"(?<=[{known}]|\A)(?=[^{known}])"
    return Regex(rf"{begins}|(?<=[^{known}])(?=[{known}]|\z)")


def _unigram(model: PieceModel, tokens: Sequence[str]) -> models.Unigram:
    scores = {piece.text: piece.score for piece in model.pieces if piece.kind is Kind.NORMAL}
    # The lowest is what SentencePiece measures the cost of an unknown character by; what users
    # defined costs less than any pieces of which it could be made.
    lowest, highest = min(scores.values()), max(scores.values())
    for piece in model.pieces:
        if piece.kind is Kind.USER_DEFINED:
            scores[piece.text] = len(piece.text.encode()) * highest - 0.1
    return models.Unigram(
        [(token, scores.get(token, lowest)) for token in tokens],
        unk_id=tokens.index(model.unknown),
        byte_fallback=model.byte_fallback,
    )


def _byte_pairs(model: PieceModel, tokens: Sequence[str]) -> models.BPE:
    vocabulary = {token: number for number, token in enumerate(tokens)}
    scores = {
        piece.text: piece.score
        for piece in model.pieces
        if piece.kind is Kind.NORMAL and piece.text in vocabulary
    }
    ranked = sorted(scores, key=lambda text: -scores[text])
    return models.BPE(
        vocabulary,
        [pair for text in ranked for pair in _halves(text, scores)],
        unk_token=model.unknown,
        fuse_unk=True,
        byte_fallback=model.byte_fallback,
    )


def _halves(text: str, scores: dict[str, float]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of pieces that make up a piece, in any order: they have one rank there."""
    for cut in range(1, len(text)):
        if text[:cut] in scores and text[cut:] in scores:
            yield text[:cut], text[cut:]


def _whole(model: PieceModel) -> list[AddedToken]:
    """Return the pieces that no merges make up, because users defined them; they are text."""
    return [
        AddedToken(piece.text, normalized=False, special=False)
        for piece in model.pieces
        if piece.kind is Kind.USER_DEFINED and model.segmentation is Segmentation.BYTE_PAIR
    ]


def _normalizers(model: PieceModel, once: bool) -> list[normalizers.Normalizer]:
    steps: list[normalizers.Normalizer] = []
    if model.replacements:
        steps.append(normalizers.Precompiled(model.replacements))
    if model.one_space:
        steps.append(normalizers.Replace(Regex(rf"\A +|[ {_SPACE}]+\z"), ""))
        steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    if model.leading_space and not once:
        steps.append(normalizers.Prepend(_SPACE))
    return steps


def _decoder(model: PieceModel, marks: bool) -> decoders.Decoder:
    steps: list[decoders.Decoder] = [decoders.Replace(_MARK, "")] if marks else []
    steps.append(decoders.Replace(_SPACE, " "))
    if model.byte_fallback:
        steps.append(decoders.ByteFallback())
    steps.append(decoders.Fuse())
    if model.leading_space or model.one_space:
        steps.append(decoders.Strip(" ", 1, 0))
    return decoders.Sequence(steps)
