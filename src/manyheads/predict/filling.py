"""The predictor of masked tokens: what stands behind each mask of a text."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, overload

import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.core.packed import pack
from manyheads.core.pooling import with_filler
from manyheads.errors import GenerationError, TextError
from manyheads.hub import Pretrained
from manyheads.hub.masked import save_with_masked_output, with_published_output
from manyheads.predict.blanks import Blank, TextWithBlanks
from manyheads.predict.plain import PlainPredictor
from manyheads.predict.running import in_batches
from manyheads.predict.settings import TextSettings
from manyheads.tasks import MaskedLanguageModel, PlainModel, Reader
from manyheads.text import Encoded, Piece
from manyheads.text.several import several

_AT_ONCE = 256  # masked tokens: each has a score for every token of the vocabulary
_SHOWN = 60  # characters of a text in a message


@dataclass(frozen=True)
class Candidate:
    """A token that may stand behind a mask: how it reads, how probable it is there, its id."""

    token: str
    probability: float
    id: int


@dataclass(frozen=True)
class Filled:
    """A text whose masks are filled in.

    Attributes:
        text: The text, cleaned, with the most probable token in the place of each mask.
        candidates: For each mask, from the left, its most probable tokens, the best one first.
            Each mask is filled in by itself, while all others stay.
        truncated: How many tokens of the text the model did not see.
    """

    text: str
    candidates: tuple[tuple[Candidate, ...], ...]
    truncated: int


@dataclass(frozen=True)
class _Window:
    """A piece of a text, and where in it the masks stand that are filled in there."""

    piece: Piece
    places: list[int]
    masks: list[int]  # their numbers among the masks of all texts


class MaskFiller(PlainPredictor):
    """A trained encoder that fills in masks: `filler("Paris is the [MASK] of France.")`."""

    def __init__(self, model: PlainModel, task: Any, reader: Any, pretrained: Pretrained) -> None:
        super().__init__(model, task, reader, pretrained)
        self.tokenizer = pretrained.require_tokenizer()
        mask_id = self.tokenizer.mask_id
        assert mask_id is not None
        self.mask_id = mask_id
        (self.mask,) = self.tokenizer.tokens([mask_id])
        pack(self.model)

    @classmethod
    def opened(
        cls,
        settings: TextSettings,
        pretrained: Pretrained,
        device: torch.device | str,
        folder: Path,
    ) -> Self:
        """Return the predictor of a folder that was read.

        Raises `CheckpointError` where the output for masked tokens is not there as a whole.
        """
        return super().opened(settings, with_published_output(pretrained), device, folder)

    @overload
    def __call__(self, texts: str, top: int = ...) -> Filled: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, texts: Sequence[str], top: int = ...) -> list[Filled]: ...
    def __call__(self, texts, top=5):  # type: ignore[no-untyped-def]
        """Return one text filled in, or each of a list, with the `top` best tokens for each mask.

        Raises `TextError` for a text without a mask, or with one beyond what the model reads.
        """
        return self.fill([texts], top)[0] if isinstance(texts, str) else self.fill(texts, top)

    def fill(
        self,
        texts: Sequence[str],
        top: int = 5,
        names: Sequence[str] = (),
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Filled]:
        """Return each text filled in; `names` are what the texts are called in messages.

        `progress` is told of every finished batch's number of texts, or windows of texts. Raises
        `TextError` for a text without a mask, or with one beyond what the model reads.
        """
        known = self._known_tokens
        if not 1 <= top <= known:
            raise GenerationError(f"top={top} is no number of tokens; choose 1 to {known}")
        texts = several(texts)
        names = names or [f"text {number}" for number in range(1, len(texts) + 1)]
        read, windows = self._read(texts, names)
        probabilities, ids = self._best(windows, top, progress)
        filled, at = [], 0
        for text, dropped in read:
            rows = range(at, at + len(text.blanks))
            at += len(text.blanks)
            candidates = [self._candidates(probabilities[row], ids[row]) for row in rows]
            whole = text.filled([some[0].id for some in candidates], self.tokenizer)
            filled.append(Filled(whole, tuple(candidates), dropped))
        return filled

    @property
    def _known_tokens(self) -> int:
        """How many entries of the output are tokens: some tables have more rows than that."""
        return min(self.tokenizer.vocabulary_size, self.model.transformer.spec.embed.vocabulary)

    def _read(
        self, texts: Sequence[str], names: Sequence[str]
    ) -> tuple[list[tuple[TextWithBlanks, int]], list[_Window]]:
        """Return each text with how many of its tokens were cut, and what is to be computed."""
        cleaned = [self._cleaned(text) for text in texts]
        truncation = self.reader.reader.truncation
        encoded = self.tokenizer.encode(cleaned, truncation=truncation, offsets=True)
        read, windows, masks = [], [], 0
        for text, one, name in zip(cleaned, encoded, names, strict=True):
            places = self._places(one)
            self._require_masks(text, name, one, len(places))
            blanks = [Blank.at(text, one.pieces[number], place) for number, place in places]
            read.append((TextWithBlanks(text, self.mask_id, blanks), one.dropped))
            for number, piece in enumerate(one.pieces):
                inside = [at for at, (window, _) in enumerate(places) if window == number]
                if inside:
                    here = [places[at][1] for at in inside]
                    windows.append(_Window(piece, here, [masks + at for at in inside]))
            masks += len(places)
        return read, windows

    def _cleaned(self, text: Any) -> Any:
        """Return a text cleaned around its masks: a step that drops tags would take <mask> too."""
        if not isinstance(text, str):
            return text  # the tokenizer refuses it by number
        return self.mask.join(map(self.reader.reader.cleaning, text.split(self.mask)))

    def _places(self, encoded: Encoded) -> list[tuple[int, int]]:
        """Return for each mask of a text, from the left, a piece and its place there.

        Of windows that share a mask it is the one that shows most on either side of it.
        """
        best: dict[tuple[int, int], tuple[int, int, int]] = {}
        for number, piece in enumerate(encoded.pieces):
            assert piece.offsets is not None
            for place, token in enumerate(piece.ids):
                if token == self.mask_id:
                    around = min(place, len(piece.ids) - 1 - place)
                    span = piece.offsets[place]
                    best[span] = max(best.get(span, (-1, 0, 0)), (around, number, place))
        return [best[span][1:] for span in sorted(best)]

    def _require_masks(self, text: str, name: str, encoded: Encoded, read: int) -> None:
        """Raise `TextError` where a text has no mask, or more than were read."""
        masks = read
        if encoded.dropped:
            (whole,) = self.tokenizer.encode([text], offsets=True)
            masks = len(self._places(whole))
        shown = repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
        if not masks:
            raise TextError(
                f"{name} has no mask: {shown}; write {self.mask} in the place of a token"
            )
        if read < masks:
            limit = self.reader.reader.truncation.max_tokens
            raise TextError(
                f"{name} has {encoded.tokens:,} tokens, and {masks - read} of its {masks} masks "
                f"beyond the {limit:,} that are read: {shown}; shorten it around its masks"
            )

    def _best(
        self, windows: Sequence[_Window], top: int, progress: Callable[[int], None]
    ) -> tuple[list[list[float]], list[list[int]]]:
        """Return probabilities and ids of the `top` best tokens for each mask of all texts."""
        masks = sum(len(window.masks) for window in windows)
        probabilities: list[list[float]] = [[]] * masks
        ids: list[list[int]] = [[]] * masks

        def work(indices: Sequence[int]) -> tuple[Tensor, Tensor]:
            return self._best_of_batch([windows[i] for i in indices], top)

        lengths = [len(window.piece.ids) for window in windows]
        device = self.model.transformer.device
        for indices, found in in_batches(work, lengths, device=device, progress=progress):
            numbers = [number for i in indices for number in windows[i].masks]
            for number, shares, tokens in zip(numbers, *map(Tensor.tolist, found), strict=True):
                probabilities[number], ids[number] = shares, tokens
        return probabilities, ids

    def _best_of_batch(self, windows: Sequence[_Window], top: int) -> tuple[Tensor, Tensor]:
        """Return probabilities and ids (M, top) for the M masks of a batch, on the CPU."""
        transformer = self.model.transformer
        layout = Layout([len(window.piece.ids) for window in windows])
        places = torch.tensor(
            [
                start + place
                for window, start in zip(windows, layout.starts, strict=True)
                for place in window.places
            ]
        )
        device = transformer.device
        hidden_MD = transformer.encode(
            *with_filler(
                _joined([window.piece.ids for window in windows]).to(device),
                layout.to(device),
                _joined([window.piece.segments for window in windows]).to(device),
            ),
            rows=places.to(device),
        )
        best = [
            transformer.logits(some).float().softmax(1)[:, : self._known_tokens].topk(top)
            for some in hidden_MD.split(_AT_ONCE)
        ]
        shares_MN = torch.cat([one.values for one in best]).cpu()
        return shares_MN, torch.cat([one.indices for one in best]).cpu()

    def _candidates(self, shares: list[float], ids: list[int]) -> tuple[Candidate, ...]:
        """Return candidates, with tokens as they read by themselves, without spaces around."""
        return tuple(
            Candidate(self.tokenizer.decode([number]).strip() or token, share, number)
            for share, number, token in zip(shares, ids, self.tokenizer.tokens(ids), strict=True)
        )

    @classmethod
    def _reader(cls, settings: TextSettings, pretrained: Pretrained) -> Any:
        assert isinstance(settings.task, MaskedLanguageModel)
        reader = Reader(pretrained.require_tokenizer(), settings.cleaning, settings.truncation)
        return settings.task.passage_reader(reader, pretrained)

    def _settings(self) -> TextSettings:
        reader = self.reader.reader
        return TextSettings(self.task, reader.cleaning, reader.truncation)

    def _save(self, folder: Path, pretrained: Pretrained) -> None:
        save_with_masked_output(folder, pretrained)


def _joined(arrays: Sequence[array[int]]) -> Tensor:
    return torch.tensor([number for one in arrays for number in one])
