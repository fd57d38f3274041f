"""What a published model says about writing: how an output begins and ends, and how to search.

`generation_config.json` says it, and `config.json` in older folders, which have no such file. They
are read when they are asked for.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.errors import ConfigError, GenerationError
from manyheads.families import Config
from manyheads.generate import Beam, Greedy, Sample, Settings, Stopping
from manyheads.generate.phrases import Phrase
from manyheads.generate.settings import Strategy
from manyheads.hub.load import Pretrained

GENERATION = "generation_config.json"
_TASKS = "task_specific_params"
_USUAL_TOP_K = 50  # what samples are drawn from where a folder does not say
_STOPPING = {False: Stopping.ATTAINABLE, True: Stopping.ENOUGH, "never": Stopping.EXHAUSTED}
# Settings that would change outputs and that are not known here, with what leaves them unchanged.
_UNKNOWN: dict[str, tuple[Any, ...]] = {
    "encoder_no_repeat_ngram_size": (None, 0),
    "encoder_repetition_penalty": (None, 1.0),
    "penalty_alpha": (None, 0.0),
    "epsilon_cutoff": (None, 0.0),
    "eta_cutoff": (None, 0.0),
    "guidance_scale": (None, 1.0),
    "exponential_decay_length_penalty": (None,),
    "begin_suppress_tokens": (None, []),
    "sequence_bias": (None,),
    "force_words_ids": (None, []),
    "constraints": (None, []),
}


@dataclass(frozen=True)
class Writing:
    """How a model writes unless it is told otherwise.

    Attributes:
        starts: What an encoder-decoder's decoder begins with; empty for a model without an encoder.
        ends: The tokens that end an output; none where it only ends by its length.
        settings: How to search; what is banned, and the prefix of every output.
        max_tokens: The most tokens of an output, where the folder says.
        max_length: The most tokens of prompt and output together, where the folder says; of a model
            without an encoder.
        instruction: What stands in front of every source: T5's "summarize: ".
        tasks: The names under which the folder has further settings.
    """

    starts: Phrase
    ends: frozenset[int]
    settings: Settings
    max_tokens: int | None = None
    max_length: int | None = None
    instruction: str = ""
    tasks: tuple[str, ...] = ()


def writing_of(model: Pretrained, task: str | None = None) -> Writing:
    """Return what the folder of a model says about writing, in general or for one of its tasks.

    Raises `ConfigError` for settings that cannot be, `GenerationError` for a task that the folder
    does not know.
    """
    config = _said(model)
    tasks: dict[str, Config] = model.config.get(_TASKS) or {}
    if task is not None:
        if task not in tasks:
            known = ", ".join(tasks) or "none"
            raise GenerationError(f"this model knows no task {task!r}; it knows {known}")
        config |= tasks[task]
    _warn_of_unknown(config)
    reads = model.transformer.encoder is not None
    starts = _starts(config) if reads else ()
    try:
        settings = _settings(config, len(starts) if reads else None)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(
            f"the settings for writing of {model.folder or 'the model'} cannot be ({error}); "
            "correct them"
        ) from error
    return Writing(
        starts=starts,
        ends=frozenset(_ends(config, model)),
        settings=settings,
        max_tokens=_most(config, len(starts) if reads else None),
        max_length=None if reads else config.get("max_length"),
        instruction=config.get("prefix") or "",
        tasks=tuple(tasks),
    )


@dataclass(frozen=True)
class Bounds:
    """The tokens with which a decoder begins and ends a text, and what every output begins with."""

    start: int
    end: int
    prefix: Phrase


def bounds_of(model: Pretrained) -> Bounds:
    """Return how the decoder of an encoder-decoder begins and ends a text.

    Raises `ConfigError` where the model does not say so.
    """
    config = _said(model)
    start, ends = _starts(config)[0], _ends(config, model)
    if not ends:
        raise ConfigError(
            "neither generation_config.json nor config.json has an eos_token_id, and the tokenizer "
            "has no such token; a text cannot end without it: add it"
        )
    return Bounds(start, ends[0], _prefix(config))


def write_generation(folder: Path, model: Pretrained, settings: Settings) -> None:
    """Write what a folder says about writing, as `transformers` reads it too."""
    roles = {name: value for name, value in model.config.items() if name.endswith("_token_id")}
    said: Config = {"max_new_tokens": settings.max_tokens}
    match settings.strategy:
        case Beam(beams, length_penalty):
            said |= {"num_beams": beams, "length_penalty": length_penalty}
            stopping = {kind: name for name, kind in _STOPPING.items()}
            said["early_stopping"] = stopping[settings.strategy.stopping]
        case Sample(temperature, top_k, top_p, min_p, typical_p):
            said |= {"do_sample": True, "temperature": temperature, "top_k": top_k or 0}
            said |= {"top_p": top_p, "min_p": min_p, "typical_p": typical_p}
        case Greedy():
            pass
    if settings.no_repeat_ngram:
        said["no_repeat_ngram_size"] = settings.no_repeat_ngram
    if settings.repetition_penalty != 1.0:
        said["repetition_penalty"] = settings.repetition_penalty
    if settings.banned:
        said["bad_words_ids"] = [list(phrase) for phrase in settings.banned]
    if settings.min_tokens:
        said["min_new_tokens"] = settings.min_tokens
    text = json.dumps(roles | said, indent=2, sort_keys=True)
    (folder / GENERATION).write_text(text + "\n", encoding="utf-8")


def _said(model: Pretrained) -> Config:
    """Return all settings that say something, special tokens by their role included."""
    config = {name: value for name, value in model.config.items() if value is not None}
    path = None if model.folder is None else model.folder / GENERATION
    if path is None or not path.is_file():
        return config
    roles = {name: value for name, value in config.items() if name.endswith("_token_id")}
    return roles | _read(path)


def _read(path: Path) -> Config:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}); restore or delete it") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no JSON object; restore or delete it")
    return {name: value for name, value in content.items() if value is not None}


def _starts(config: Config) -> Phrase:
    start = config.get("decoder_start_token_id", config.get("bos_token_id"))
    if start is None:
        raise ConfigError(
            "neither generation_config.json nor config.json has a decoder_start_token_id; an "
            "output cannot begin without it: add it"
        )
    return _tokens(start)


def _ends(config: Config, model: Pretrained) -> Phrase:
    ends = config.get("eos_token_id", model.writing_tokenizer.eos_id)
    return () if ends is None else _tokens(ends)


def _settings(config: Config, starts: int | None) -> Settings:
    """Return the settings; `starts` is how many tokens lengths count before an output, if known.

    Without an encoder they count the prompt.
    """
    at_least = config.get("min_new_tokens", 0)
    if starts is not None and not at_least:
        at_least = max(0, config.get("min_length", 0) - starts)
    banned = [tuple(phrase) for phrase in config.get("bad_words_ids") or ()]
    banned += [(token,) for token in config.get("suppress_tokens") or ()]
    return Settings(
        strategy=_strategy(config),
        max_tokens=_most(config, starts) or max(Settings.max_tokens, at_least),
        min_tokens=at_least,
        repetition_penalty=config.get("repetition_penalty", 1.0),
        no_repeat_ngram=config.get("no_repeat_ngram_size", 0),
        banned=tuple(banned),
        prefix=_prefix(config),
    )


def _prefix(config: Config) -> Phrase:
    first = config.get("forced_bos_token_id")
    return () if first is None else _tokens(first)


def _strategy(config: Config) -> Strategy:
    if config.get("do_sample"):
        top_k = config.get("top_k", _USUAL_TOP_K)
        return Sample(
            temperature=config.get("temperature", 1.0),
            top_k=top_k or None,
            top_p=config.get("top_p", 1.0),
            min_p=config.get("min_p", 0.0),
            typical_p=config.get("typical_p", 1.0),
        )
    beams = config.get("num_beams", 1)
    if beams == 1:
        return Greedy()
    groups = config.get("num_beam_groups", 1)
    return Beam(
        beams=beams,
        length_penalty=config.get("length_penalty", 1.0),
        stopping=_STOPPING[config.get("early_stopping", False)],
        groups=groups,
        diversity=config.get("diversity_penalty", 0.0) if groups > 1 else 0.0,
    )


def _most(config: Config, starts: int | None) -> int | None:
    """Return the most tokens of an output, where the folder says so for outputs alone."""
    if (most := config.get("max_new_tokens")) is not None:
        return int(most)
    length = config.get("max_length")
    return None if length is None or starts is None else max(1, int(length) - starts)


def _tokens(value: int | Iterable[int]) -> Phrase:
    """Return one token or several as several."""
    return (value,) if isinstance(value, int) else tuple(value)


def _warn_of_unknown(config: Config) -> None:
    for name, neutral in _UNKNOWN.items():
        value: Any = config.get(name)
        if value not in neutral:
            warnings.warn(f"the model asks for {name}={value}, which is left out", stacklevel=3)
