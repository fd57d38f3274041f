"""What folders and GGUF files say about writing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.writer import models

from manyheads.errors import ConfigError, GenerationError
from manyheads.generate import Beam, Greedy, Sample, Settings, Stopping
from manyheads.hub import load_model, save_model
from manyheads.hub.generation import Bounds, bounds_of, write_generation, writing_of


@pytest.fixture(scope="module")
def bart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.publish(tmp_path_factory.mktemp("bart"), "bart")


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.publish(tmp_path_factory.mktemp("gpt2"), "gpt2")


def told(folder: Path, tmp_path: Path, settings: dict[str, Any], name: str) -> Path:
    """The same folder with other settings in one of its files."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if name == "config.json":
        (tmp_path / "generation_config.json").unlink()
        settings = json.loads((folder / name).read_text(encoding="utf-8")) | settings
    (tmp_path / name).write_text(json.dumps(settings), encoding="utf-8")
    return tmp_path


BART_CNN = {
    "bos_token_id": 0,
    "decoder_start_token_id": 2,
    "early_stopping": True,
    "eos_token_id": [2, 7],
    "forced_bos_token_id": 0,
    "length_penalty": 2.0,
    "max_length": 72,
    "min_length": 16,
    "no_repeat_ngram_size": 3,
    "num_beams": 4,
    "bad_words_ids": [[5], [6, 8]],
    "suppress_tokens": [9],
}


@pytest.mark.parametrize("name", ["generation_config.json", "config.json"])
def test_an_encoder_decoder(bart: Path, tmp_path: Path, name: str) -> None:
    writing = writing_of(load_model(told(bart, tmp_path, BART_CNN, name)))
    assert (writing.starts, writing.ends) == ((2,), {2, 7})
    assert (writing.max_tokens, writing.max_length) == (71, None)
    assert writing.settings == Settings(
        Beam(4, 2.0, stopping=Stopping.ENOUGH),
        max_tokens=71,
        min_tokens=15,
        no_repeat_ngram=3,
        banned=((5,), (6, 8), (9,)),
        prefix=(0,),
    )


def test_a_decoder(gpt2: Path, tmp_path: Path) -> None:
    settings = {
        "do_sample": True,
        "temperature": 0.6,
        "top_p": 0.9,
        "min_p": 0.05,
        "repetition_penalty": 1.1,
        "max_length": 50,
        "eos_token_id": 2,
        "num_beams": 1,
    }
    writing = writing_of(load_model(told(gpt2, tmp_path, settings, "generation_config.json")))
    assert (writing.starts, writing.ends) == ((), {2})
    assert (writing.max_tokens, writing.max_length) == (None, 50)
    assert writing.settings.strategy == Sample(0.6, 50, 0.9, 0.05)
    assert writing.settings.repetition_penalty == 1.1


@pytest.mark.parametrize(
    ("settings", "strategy"),
    [
        ({}, Greedy()),
        ({"temperature": 0.0, "top_k": 3}, Greedy()),
        ({"do_sample": True, "top_k": 0}, Sample()),
        ({"do_sample": True, "top_k": 7, "typical_p": 0.5}, Sample(1.0, 7, typical_p=0.5)),
        ({"num_beams": 3}, Beam(3)),
        ({"num_beams": 3, "early_stopping": "never"}, Beam(3, stopping=Stopping.EXHAUSTED)),
        (
            {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
            Beam(4, groups=2, diversity=0.5),
        ),
    ],
)
def test_strategies(gpt2: Path, tmp_path: Path, settings: dict[str, Any], strategy: object) -> None:
    folder = told(gpt2, tmp_path, settings, "generation_config.json")
    writing = writing_of(load_model(folder))
    assert writing.settings.strategy == strategy
    assert writing.ends == {models.EOS}  # config.json still says that


def test_tasks(bart: Path, tmp_path: Path) -> None:
    tasks = {
        "summarization": {"prefix": "summarize: ", "num_beams": 4, "max_length": 31},
        "translation_en_to_de": {"prefix": "translate English to German: "},
    }
    folder = told(bart, tmp_path, {"task_specific_params": tasks}, "config.json")
    model = load_model(folder)
    usual, short = writing_of(model), writing_of(model, "summarization")
    assert usual.tasks == tuple(tasks)
    assert (usual.instruction, usual.settings.strategy) == ("", Greedy())
    assert (short.instruction, short.max_tokens) == ("summarize: ", 30)
    assert short.settings.strategy == Beam(4)
    with pytest.raises(GenerationError, match="'chess'; it knows summarization, translation"):
        writing_of(model, "chess")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"do_sample": True, "temperature": -1}, "temperature=-1"),
        ({"num_beams": 0}, "beams=0"),
        ({"min_new_tokens": 9, "max_new_tokens": 3}, "min_tokens=9"),
        ({"early_stopping": "soon", "num_beams": 2}, "soon"),
    ],
)
def test_settings_that_cannot_be(
    gpt2: Path, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    folder = told(gpt2, tmp_path, settings, "generation_config.json")
    with pytest.raises(ConfigError, match=said):
        writing_of(load_model(folder))


def test_what_is_left_out_is_said(gpt2: Path, tmp_path: Path) -> None:
    folder = told(gpt2, tmp_path, {"penalty_alpha": 0.6}, "generation_config.json")
    with pytest.warns(UserWarning, match=r"penalty_alpha=0.6, which is left out"):
        writing_of(load_model(folder))


def test_a_damaged_file_is_read_when_it_is_asked_for(gpt2: Path, tmp_path: Path) -> None:
    folder = told(gpt2, tmp_path, {}, "generation_config.json")
    for content in ("{", "[]"):
        (folder / "generation_config.json").write_text(content, encoding="utf-8")
        model = load_model(folder)
        with pytest.raises(ConfigError, match=r"generation_config\.json"):
            writing_of(model)


def test_a_decoder_behind_an_encoder_needs_a_start(bart: Path, tmp_path: Path) -> None:
    nothing = {"bos_token_id": None, "decoder_start_token_id": None}
    model = load_model(told(bart, tmp_path, nothing, "config.json"))
    with pytest.raises(ConfigError, match="decoder_start_token_id"):
        writing_of(model)


def test_what_is_taught_is_what_is_written(bart: Path, tmp_path: Path) -> None:
    ours = {"decoder_start_token_id": 3, "eos_token_id": [7, 2]}
    model = load_model(told(bart, tmp_path, ours, "generation_config.json"))
    assert bounds_of(model) == Bounds(3, 7, ())
    writing = writing_of(model)
    assert (writing.starts, writing.ends) == ((3,), {7, 2})


def test_saving_keeps_what_a_folder_says(bart: Path, tmp_path: Path) -> None:
    model = load_model(told(bart, tmp_path, BART_CNN, "generation_config.json"))
    for folder in (tmp_path / "new", tmp_path):  # the last one in place
        save_model(folder, model)
        assert writing_of(load_model(folder)) == writing_of(model)


def test_how_a_model_was_judged_is_kept(bart: Path, tmp_path: Path) -> None:
    search = Settings(
        Beam(4, length_penalty=0.7),
        max_tokens=30,
        min_tokens=2,
        no_repeat_ngram=3,
        banned=((5, 6),),
    )
    model = replace(load_model(bart), folder=None)
    save_model(tmp_path, model)
    write_generation(tmp_path, model, search)
    assert writing_of(load_model(tmp_path)).settings == search
