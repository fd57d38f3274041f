"""Options that several commands share, declared once: a dataclass stands for all of its fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def unfolded(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` with each dataclass among its parameters replaced by that class's fields.

    What is called builds the dataclasses again, so that typer sees single options and the command
    sees groups of them.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    def parameters() -> Iterator[Parameter]:
        for name, parameter in signature(command).parameters.items():
            if name in groups:
                yield from _fields_as_parameters(groups[name])
            else:
                yield parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY)

    @wraps(command)
    def unfolding(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    flat = list(parameters())
    unfolding.__signature__ = Signature(flat)  # type: ignore[attr-defined]
    unfolding.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    return unfolding


def _fields_as_parameters(group: type) -> Iterator[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        default = Parameter.empty if field.default is MISSING else field.default
        yield Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name]
        )
