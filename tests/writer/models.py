"""Tiny random models that write, published with a tokenizer as their originals publish them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import transformers
from tests.families.harness import original
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

CORPUS = [
    "The capital of France is Paris. The cat sat on the mat, and the dog sat on the log!",
    "A hot dog is no dog. Hotdogs, dogma; the catalogue of cats? I do not like it.",
    "summarize: a long text about nothing much. translate English to German: hello",
    "你好。再见！北京是中国的首都。",
] * 4
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
PAD, BOS, EOS, UNK = range(4)
LANGUAGES = ["en_XX", "fr_XX", "zh_CN"]
LEADING = [">>deu<<", ">>fra<<"]
CHAT = (
    "{% for message in messages %}{{ bos_token + message['role'] + ': ' + message['content'] + '\n'"
    " }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)

_BODY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_LLAMA = {**_BODY, "intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 96}
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 96}
_BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "max_position_embeddings": 80,
    **{f"{side}_attention_heads": 4 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 48 for side in ("encoder", "decoder")},
    "decoder_start_token_id": EOS,
}
_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
T = transformers
_MODELS = {
    "gpt2": (T.GPT2LMHeadModel, T.GPT2Config, _GPT2),
    "llama": (T.LlamaForCausalLM, T.LlamaConfig, _LLAMA),
    "bart": (T.BartForConditionalGeneration, T.BartConfig, _BART),
    "t5": (T.T5ForConditionalGeneration, T.T5Config, {**_T5, "decoder_start_token_id": PAD}),
}
KINDS = tuple(_MODELS)
DECODERS = ("gpt2", "llama")


def byte_tokenizer(frame: str, extra: list[str] | None = None) -> Tokenizer:
    """Byte-level pieces, as GPT-2, Llama 3 and BART have them."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(CORPUS, trainer)
    core.add_special_tokens(extra or [])
    _frame(core, frame)
    return core


def piece_tokenizer(frame: str, extra: list[str] | None = None) -> Tokenizer:
    """Pieces that hold the space before a word, as T5 and Marian have them; what is usual is cheap.

    Not learnt: the library's trainer learns other pieces every time.
    """
    words = [word for text in CORPUS for word in f" {text}".replace(" ", " ▁").split()]
    pieces = Counter(words) + Counter(letter for word in words for letter in word)
    vocabulary = [(token, 0.0) for token in SPECIAL]
    vocabulary += [(piece, -12.0 / (1 + len(piece))) for piece in sorted(pieces)]
    core = Tokenizer(models.Unigram(vocabulary, unk_id=UNK))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(" {2,}"), "removed"), pre_tokenizers.Metaspace()]
    )
    core.decoder = decoders.Metaspace()
    core.add_special_tokens(extra or [])
    _frame(core, frame)
    return core


def _frame(core: Tokenizer, frame: str) -> None:
    special = [(token, core.token_to_id(token)) for token in frame.split() if token != "$A"]
    core.post_processor = processors.TemplateProcessing(single=frame, special_tokens=special)


def publish(
    folder: Path,
    kind: str,
    *,
    core: Tokenizer | None = None,
    chat: str | None = None,
    seed: int = 0,
    generation: dict[str, object] | None = None,
    config: dict[str, object] | None = None,
) -> Path:
    """Write a model with its tokenizer and what it says about writing."""
    if core is None:
        frames = {"gpt2": "$A", "llama": "<s> $A", "bart": "<s> $A </s>", "t5": "$A </s>"}
        core = (piece_tokenizer if kind == "t5" else byte_tokenizer)(frames[kind])
    architecture, settings_of, settings = _MODELS[kind]
    roles = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
    made = settings_of(
        **{**settings, **roles, "forced_eos_token_id": None, **(config or {})},
        vocab_size=core.get_vocab_size(),
    )
    transformers.set_seed(seed)
    model = original(architecture, made)
    model.generation_config = transformers.GenerationConfig.from_model_config(made)
    model.generation_config.update(**(generation or {}))
    model.save_pretrained(folder)
    names = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), SPECIAL, strict=True))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, chat_template=chat, **names
    )
    tokenizer.save_pretrained(folder)
    return folder


def theirs(
    folder: Path, texts: list[str], skip_special: bool = True, **settings: object
) -> list[list[str]]:
    """What `transformers` writes for each text alone, without the text."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(folder)
    auto = T.AutoModelForSeq2SeqLM if config.is_encoder_decoder else T.AutoModelForCausalLM
    model = auto.from_pretrained(folder).eval()
    result = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
        outputs = model.generate(**inputs, **settings)
        prompt = inputs["input_ids"][0]
        first = 0 if config.is_encoder_decoder else len(prompt)
        before = "" if config.is_encoder_decoder else tokenizer.decode(prompt[-1:])
        result.append(
            [
                tokenizer.decode(
                    [*prompt[len(prompt) - 1 :][: first > 0], *output[first:]],
                    skip_special_tokens=skip_special,
                ).removeprefix(before)
                for output in outputs
            ]
        )
    return result


def endless(folder: Path) -> Path:
    """A model that never ends, so that there is time to leave it."""
    config = {"eos_token_id": None, "max_position_embeddings": 20_000}
    return publish(folder, "llama", config=config)
