from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from manyheads.cli.unfold import unfolded

Count = Annotated[int, typer.Option(help="How many.")]


@dataclass(frozen=True)
class Fruit:
    """What is eaten."""

    name: Annotated[str, typer.Argument()]
    count: Count = 1


@dataclass(frozen=True)
class Meal:
    """When it is eaten."""

    hour: Annotated[int, typer.Option()] = 12


def ask(*arguments: str):
    @unfolded
    def eat(fruit: Fruit, meal: Meal, hungry: Annotated[bool, typer.Option()] = False) -> None:
        """Eat."""
        print(fruit, meal, hungry)

    app = typer.Typer(rich_markup_mode=None)
    app.command()(eat)
    return CliRunner().invoke(app, arguments)


def test_groups_are_built_from_single_options():
    expected = f"{Fruit('fig', 3)} {Meal(8)} True"
    assert ask("fig", "--count", "3", "--hour", "8", "--hungry").output.strip() == expected


def test_defaults_of_the_fields_are_defaults_of_the_options():
    assert ask("fig").output.strip() == f"{Fruit('fig', 1)} {Meal(12)} False"


def test_a_field_without_default_is_required():
    assert ask().exit_code == 2


def test_help_shows_the_fields_and_the_words_of_the_command():
    text = ask("--help").output
    assert "Eat." in text and "How many." in text and "--hour" in text
    assert "--fruit" not in text and "--meal" not in text
