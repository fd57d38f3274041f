"""Beams find what CTranslate2 finds in the folders that are written here: tokens, order, scores.

Its rule for stopping is `Stopping.ENOUGH` where all beams are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
import transformers
from tests.families.harness import FIRST_WORD, VOCABULARY, publish, tokenizer
from tests.families.test_decoders import CASES, ENCODER_DECODERS, Case
from tokenizers import Tokenizer, models, pre_tokenizers

from manyheads.generate import (
    Beam,
    Finish,
    Hypothesis,
    Output,
    Request,
    Settings,
    Stopping,
    Writer,
    generate,
)
from manyheads.hub import load_model
from manyheads.hub.save import save_model

ctranslate2 = pytest.importorskip("ctranslate2", reason="CTranslate2 is not installed")

END = 3
RARE = 20  # an end that these models hardly ever write
LENGTH = 16
LAST = VOCABULARY - 1  # Marian's padding, with which its decoder begins
NAMES = ["bart", "marian", "pegasus", "t5", "gpt2", "llama", "qwen3"]

# What the converter asks BART's configuration for, and newer ones do not say; and that encoder and
# decoder have as many heads.
_BART = {"normalize_before": False, "normalize_embedding": True, "decoder_attention_heads": 4}
_MARIAN = {"decoder_attention_heads": 4, "pad_token_id": LAST, "decoder_start_token_id": LAST}

_PEGASUS = {
    "decoder_attention_heads": 4,
    "decoder_start_token_id": 0,
    "normalize_before": True,
    "normalize_embedding": False,
}


@dataclass
class Both:
    """A model here, and the same in CTranslate2, with inputs of several lengths."""

    ours: Writer
    theirs: ctranslate2.Translator | ctranslate2.Generator
    words: list[str]
    start: int

    def __post_init__(self) -> None:
        torch.manual_seed(5)
        self.inputs = [
            torch.randint(FIRST_WORD, LAST, (length,)).tolist() for length in (6, 2, 9, 4)
        ]

    def found(self, settings: Settings, end: int) -> list[Output]:
        requests = [
            Request([self.start], [*one, END], settings)
            if self.ours.reads
            else Request(one, None, settings)
            for one in self.inputs
        ]
        return generate(replace(self.ours, ends=frozenset({end})), requests)

    def words_of(self, one: Hypothesis) -> list[str]:
        """The words of an output without its end."""
        tokens = one.tokens[:-1] if one.finish is Finish.END else one.tokens
        return [self.words[token] for token in tokens]

    def expected(self, beam: Beam, end: int) -> list[list[tuple[list[str], float]]]:
        """Their outputs without the end, and their scores."""
        common = {
            "beam_size": beam.beams,
            "num_hypotheses": beam.beams,
            "length_penalty": beam.length_penalty,
            "return_scores": True,
            "end_token": self.words[end],
        }
        result = []
        for one in self.inputs:
            words = [self.words[token] for token in one]
            if self.ours.reads:
                source = [*words, self.words[END]]
                (out,) = self.theirs.translate_batch(
                    [source], max_decoding_length=LENGTH, min_decoding_length=0, **common
                )
                result.append(list(zip(out.hypotheses, out.scores, strict=True)))
            else:
                (out,) = self.theirs.generate_batch(
                    [words], max_length=LENGTH, include_prompt_in_result=False, **common
                )
                result.append(list(zip(out.sequences, out.scores, strict=True)))
        return result


def marian(case: Case) -> transformers.PreTrainedModel:
    """As published ones are: it begins with a vector of zeros, which is never written."""
    model = replace(case, settings=case.settings | _MARIAN).make()
    with torch.no_grad():
        model.model.shared.weight[LAST] = 0
        model.final_logits_bias[0, LAST] = -1e4
    return model


def marian_tokenizer() -> transformers.PreTrainedTokenizerFast:
    """Its padding is the last token."""
    names = ["[UNK]", "[CLS]", "[BOS]", "</s>", *(f"w{i}" for i in range(4, LAST)), "<pad>"]
    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, "[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="[UNK]", eos_token="</s>", pad_token="<pad>"
    )


@pytest.fixture(params=NAMES, scope="module")
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    name = request.param
    case = CASES[name]
    if name == "marian":
        model, speaks = marian(case), marian_tokenizer()
    else:
        extra = {"bart": _BART, "pegasus": _PEGASUS, "llama": {"head_dim": 8}}.get(name, {})
        model, speaks = replace(case, settings=case.settings | extra).make(), tokenizer()
        speaks.bos_token, speaks.eos_token = "[CLS]", "[SEP]"
    model.generation_config.forced_eos_token_id = None
    publish(model.eval(), folder / "published")
    speaks.save_pretrained(folder / "published")
    ours = load_model(folder / "published")
    save_model(folder / "saved", ours)
    converter = ctranslate2.converters.TransformersConverter(str(folder / "saved"))
    converter.convert(str(folder / "converted"))
    reads = name in ENCODER_DECODERS
    kind = ctranslate2.Translator if reads else ctranslate2.Generator
    theirs = kind(str(folder / "converted"), compute_type="float32", intra_threads=1)
    words = sorted(speaks.get_vocab(), key=speaks.get_vocab().__getitem__)
    start = model.config.decoder_start_token_id if reads else 0
    return Both(Writer(ours.transformer, frozenset({END})), theirs, words, start)


@pytest.mark.parametrize(("beams", "penalty"), [(2, 0.0), (3, 1.0), (4, 0.0), (4, 1.0)])
@pytest.mark.parametrize("end", [END, RARE])
def test_outputs_of_all_beams(both: Both, beams: int, penalty: float, end: int) -> None:
    beam = Beam(beams, penalty, stopping=Stopping.ENOUGH)
    settings = Settings(beam, n_best=beams, max_tokens=LENGTH)
    expected = both.expected(beam, end)
    for output, theirs in zip(both.found(settings, end), expected, strict=True):
        assert [both.words_of(one) for one in output.hypotheses] == [words for words, _ in theirs]
        scores = [one.score for one in output.hypotheses]
        assert scores == pytest.approx([score for _, score in theirs], abs=1e-3)
