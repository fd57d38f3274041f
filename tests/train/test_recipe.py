from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import RecipeError
from manyheads.text.truncate import Head, HeadTail, Tail, Windows
from manyheads.train.early_stopping import EarlyStopping
from manyheads.train.recipe import CHOICES, OTHER_NAMES, Recipe
from manyheads.train.schedule import SGDR, Cosine, Linear, OneCycle
from manyheads.train.settings import (
    Fraction,
    KeepHeadTail,
    KeepTail,
    KeepWindows,
    Precision,
    Seconds,
    Steps,
)

TOML = """
epochs = 2.5
batch_tokens = 4096
truncation = { kind = "head_tail", head_fraction = 0.25 }
schedule = "one_cycle"
warmup = 0.2
freeze = ["transformer.embed.*"]
precision = "float32"
early_stopping = { patience = 3, metric = "loss" }
checkpoint_every = { steps = 50 }
"""


def test_a_file_becomes_typed_settings(tmp_path: Path):
    path = tmp_path / "recipe.toml"
    path.write_text(TOML)
    recipe = Recipe.from_file(path)
    assert recipe == Recipe(
        epochs=2.5,
        batch_tokens=4096,
        truncation=KeepHeadTail(0.25),
        schedule=OneCycle(),
        warmup=Fraction(0.2),
        freeze=("transformer.embed.*",),
        precision=Precision.FLOAT32,
        early_stopping=EarlyStopping(patience=3, metric="loss"),
        checkpoint_every=Steps(50),
    )


def test_json_yaml_and_toml_say_the_same(tmp_path: Path):
    yaml = pytest.importorskip("yaml")
    recipe = Recipe(schedule=SGDR(cycles=2), warmup=Steps(7), clip_norm=None)
    (tmp_path / "r.json").write_text(json.dumps(recipe.to_json()))
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe.to_json()))
    assert Recipe.from_file(tmp_path / "r.json") == recipe
    assert Recipe.from_file(tmp_path / "r.yaml") == recipe


def test_yaml_without_pyyaml_names_the_remedy(tmp_path: Path):
    path = tmp_path / "r.yaml"
    path.write_text("epochs: 1\n")
    program = (
        "import sys; sys.modules['yaml'] = None\n"
        "from manyheads.train.recipe import Recipe\n"
        "from manyheads.errors import RecipeError\n"
        "try: Recipe.from_file(sys.argv[1])\n"
        "except RecipeError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert "needs PyYAML" in run.stdout
    assert "pip install" in run.stdout


@given(
    epochs=st.floats(0.01, 100),
    schedule=st.sampled_from(["constant", "linear", "cosine", "one_cycle", "sgdr"]),
    warmup=st.none() | st.floats(0, 1) | st.integers(0, 1000),
    truncation=st.sampled_from(list(CHOICES["truncation"].variants)),
    betas=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    stopping=st.none() | st.builds(EarlyStopping, patience=st.integers(1, 9)),
)
def test_json_round_trip(epochs, schedule, warmup, truncation, betas, stopping):
    recipe = Recipe(
        epochs=epochs,
        schedule=schedule,
        warmup=warmup,
        truncation=truncation,
        betas=betas,
        early_stopping=stopping,
    )
    assert Recipe(**json.loads(json.dumps(recipe.to_json()))) == recipe


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rat": 1}, "unknown recipe key 'learning_rat'. Did you mean 'learning_rate'?"),
        ({"lr": 1e-4}, "unknown recipe key 'lr'. Did you mean 'learning_rate'?"),
        ({"epochs": -1}, "epochs=-1 must be greater than 0"),
        ({"epochs": float("nan")}, "epochs=nan must be a finite number"),
        ({"dropout": 1.0}, "dropout=1.0 must be less than 1"),
        ({"accumulate": True}, "accumulate=True is a truth value; no setting is one"),
        ({"seed": 1.5}, "seed=1.5 must be a valid integer, got a number with a fractional part"),
        ({"schedule": "cosin"}, "schedule='cosin' is unknown. Did you mean 'cosine'?"),
        (
            {"schedule": {"kind": "linear", "flor": 0.1}},
            "unknown recipe key 'schedule.flor'. Did you mean 'floor'?",
        ),
        (
            {"schedule": {"kind": "constant", "cycles": 1}},
            "unknown recipe key 'schedule.cycles'. 'constant' has no settings.",
        ),
        (
            {"schedule": {"kind": "linear", "floor": 2}},
            "schedule.floor=2.0 is not a share of the peak; choose from 0 to 1",
        ),
        (
            {"schedule": {"kind": "sgdr", "cycles": "many"}},
            "schedule.cycles='many' must be a valid integer, "
            "unable to parse string as an integer",
        ),
        ({"warmup": 1.5}, "warmup.fraction=1.5 is outside 0 to 1"),
        ({"warmup": "fraction"}, "warmup='fraction' needs a value for fraction"),
        (
            {"early_stopping": {"patince": 1}},
            "unknown recipe key 'early_stopping.patince'. Did you mean 'patience'?",
        ),
        ({"early_stopping": {"patience": 0}}, "early_stopping.patience=0 is below 1; choose ≥ 1"),
        ({"checkpoint_every": 0}, "checkpoint_every=0 steps is below 1; choose at least 1"),
        (
            {"batch_size": None, "batch_tokens": None},
            "batch_size and batch_tokens are both unset; give at least one",
        ),
        (
            {"batch_tokens": 100, "max_tokens": 128},
            "batch_tokens=100 is below max_tokens=128; one text must fit into a batch",
        ),
        (
            {"epochs": 0, "seed": -1},
            "epochs=0 must be greater than 0; seed=-1 must be greater than or equal to 0",
        ),
    ],
)  # fmt: skip
def test_errors_name_key_value_and_limit_in_one_line(settings: dict[str, object], message: str):
    with pytest.raises(RecipeError) as caught:
        Recipe(**settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.toml", "epochs = = 3", "is not valid TOML"),
        ("r.json", "{", "is not valid JSON"),
        ("r.json", "[1]", "holds no table"),
        ("r.ini", "epochs = 3", "unknown suffix"),
        ("r.toml", "epoch = 3", r"r\.toml: unknown recipe key 'epoch'. Did you mean 'epochs'\?"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: str, message: str):
    (tmp_path / name).write_text(content)
    with pytest.raises(RecipeError, match=message):
        Recipe.from_file(tmp_path / name)


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"nowhere\.toml does not exist"):
        Recipe.from_file(tmp_path / "nowhere.toml")


def test_settings_from_the_shell():
    recipe = Recipe(schedule=Linear(floor=0.2)).with_settings(
        [
            "schedule.kind=cosine",
            "schedule.floor=0.1",
            "epochs=5",
            "warmup.steps=3",
            "early_stopping.patience=4",
            "truncation=tail",
            "clip_norm=none",
            "freeze=transformer.embed.*",
            "learning_rate = 1e-3",
            "checkpoint_every.seconds=9",
            "betas=[0.8, 0.99]",
        ]
    )
    assert recipe == Recipe(
        schedule=Cosine(floor=0.1),
        epochs=5,
        warmup=Steps(3),
        early_stopping=EarlyStopping(patience=4),
        truncation=KeepTail(),
        clip_norm=None,
        freeze=("transformer.embed.*",),
        learning_rate=1e-3,
        checkpoint_every=Seconds(9),
        betas=(0.8, 0.99),
    )


def test_a_setting_of_one_kind_chooses_that_kind_and_keeps_the_others():
    recipe = Recipe().with_settings(["schedule.cycles=4", "schedule.multiplier=1"])
    assert recipe.schedule == SGDR(cycles=4, multiplier=1)
    assert recipe.with_settings(["schedule.kind=sgdr"]).schedule == recipe.schedule


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("epochs", "'epochs' has no '='; write it as key=value"),
        ("epoch=3", "unknown recipe key 'epoch'. Did you mean 'epochs'?"),
        ("seed.x=3", "'seed' has no part 'x'; write seed=3"),
        ("schedule.kin=cosine", "unknown recipe key 'schedule.kin'. 'linear' has floor."),
    ],
)
def test_wrong_settings_from_the_shell(assignment: str, message: str):
    with pytest.raises(RecipeError) as caught:
        Recipe().with_settings([assignment])
    assert str(caught.value) == message


def test_warmup_steps():
    assert Recipe().warmup_steps(200) == 20  # usual for linear
    assert Recipe(schedule="constant").warmup_steps(200) == 0
    assert Recipe(schedule="one_cycle").warmup_steps(200) == 60
    assert Recipe(warmup=0.25).warmup_steps(200) == 50
    assert Recipe(warmup=7).warmup_steps(200) == 7
    with pytest.raises(RecipeError, match="warmup=300 steps exceeds the 200 updates"):
        Recipe(warmup=300).warmup_steps(200)


def test_truncation_gets_its_limit_when_the_model_is_known():
    assert Recipe().truncation.within(128) == Head(128)
    assert KeepTail().within(9) == Tail(9)
    assert KeepHeadTail(0.25).within(64) == HeadTail(64, head_fraction=0.25)
    assert KeepWindows(stride=5).within(64) == Windows(64, stride=5)


def test_recipes_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Recipe().epochs = 4


def test_names_from_elsewhere_lead_to_real_keys():
    for foreign, own in OTHER_NAMES.items():
        assert foreign not in Recipe.model_fields
        assert own.partition(".")[0] in Recipe.model_fields
