"""The guides say what is true of the code, and the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

import manyheads as mh
from manyheads.cli import app

ROOT = Path(__file__).parent.parent
GUIDES = [ROOT / "docs" / name for name in ("guide.md", "guide.zh.md")]
READMES = [ROOT / name for name in ("README.md", "README.zh.md")]
WRITING = ("generate", "chat", "translate", "summarize", "score", "fill-mask")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SETTING = re.compile(r"^\| `(\w+)` \| (.*?) \|", re.MULTILINE)


def read(path: Path) -> str:
    if not path.is_file():
        pytest.skip("the guides are not part of an installed package")
    return path.read_text(encoding="utf-8")


def code(path: Path) -> list[str]:
    """The code blocks without their comments, which are in the reader's language."""
    return [re.sub(r"\s*# .*", "", block) for _, block in BLOCK.findall(read(path))]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_setting_of_a_recipe_is_explained_with_its_default(guide: Path) -> None:
    said = dict(SETTING.findall(read(guide)))
    assert list(said) == list(mh.Recipe.model_fields)
    for name, field in mh.Recipe.model_fields.items():
        if isinstance(field.default, int | float) and not isinstance(field.default, str):
            assert float(said[name]) == field.default, name


@pytest.mark.parametrize("pair", [GUIDES, READMES], ids=["guide", "readme"])
def test_both_languages_show_the_same_code(pair: list[Path]) -> None:
    english, chinese = map(code, pair)
    assert english == chinese


@pytest.mark.parametrize("guide", [*GUIDES, *READMES], ids=lambda path: path.name)
def test_commands_and_their_options_exist(guide: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    shown = re.findall(r"(?:\$ |`)manyheads ([a-z][\w-]*)((?: [^\n`|]+)?)", read(guide))
    assert shown
    for name, rest in shown:
        assert name in commands, name
        command, below = commands[name], rest.split()
        if below and below[0] in getattr(command, "commands", {}):
            command = command.commands[below[0]]
        known = {option for one in command.params for option in one.opts}
        assert set(re.findall(r"(?<!\w)--[a-z-]+", rest)) <= known, (name, rest)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_command_is_shown_and_every_option_of_those_that_write(guide: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    text = read(guide)
    assert [name for name in commands if f"manyheads {name}" not in text] == []
    shown = set(re.findall(r"(?<!\w)--[a-z-]+", text)) | {"--quiet", "--json"}
    for name in WRITING:
        options = {option for one in commands[name].params for option in one.opts}
        assert {one for one in options if one.startswith("--")} <= shown, name


@pytest.mark.parametrize("guide", [*GUIDES, *READMES], ids=lambda path: path.name)
def test_python_in_the_guides_compiles_and_names_what_exists(guide: Path) -> None:
    for language, block in BLOCK.findall(read(guide)):
        if language == "python":
            compile(block, guide.name, "exec")
            for name in re.findall(r"\bmh\.(\w+)", block):
                assert hasattr(mh, name), name
