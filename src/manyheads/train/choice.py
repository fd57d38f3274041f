"""One of several dataclasses as a recipe's value: a name, or a table with the name and settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from manyheads.errors import RecipeError, did_you_mean


@dataclass(frozen=True, eq=False)  # hashed by identity: it stands in annotations
class Choice:
    """How a union of dataclasses is written in a file; the annotation of a pydantic field.

    `variants` names each dataclass. All of these mean `HeadTail(head_fraction=0.25)`, where
    ``head_tail`` is its name::

        truncation = { kind = "head_tail", head_fraction = 0.25 }
        truncation = { head_fraction = 0.25 }     # no other variant has such a key

    and ``truncation = "head_tail"`` stands for its defaults. `numbers` maps a number's type to the
    variant that a bare number of this type means.
    """

    variants: Mapping[str, type]
    numbers: Mapping[type, str] = dataclasses.field(default_factory=dict)

    def parse(self, value: object, key: str) -> object:
        """Return the dataclass that `value` describes; raises `RecipeError` naming `key`."""
        if isinstance(value, tuple(self.variants.values())):
            return value
        if isinstance(value, str):
            return self._build(value, {}, key)
        if type(value) in self.numbers:
            variant = self.numbers[type(value)]
            (only,) = _fields(self.variants[variant])
            return self._build(variant, {only: value}, key)
        if isinstance(value, Mapping):
            settings = dict(value)
            kind = settings.pop("kind", None) or self._kind_of(settings, key)
            return self._build(kind, settings, key)
        raise RecipeError(f"{key}={value!r} is not understood; choose {self._names()}")

    def dump(self, value: object) -> dict[str, Any]:
        """Return the table that `parse` reads back to an equal dataclass."""
        settings: dict[str, Any] = dataclasses.asdict(value)  # type: ignore[call-overload]
        if len(self.variants) == 1:
            return settings
        kind = next(name for name, variant in self.variants.items() if type(value) is variant)
        return {"kind": kind, **settings}

    def change(self, table: Mapping[str, Any], part: str, value: object) -> dict[str, Any]:
        """Return `table` with one part changed; what belongs to another variant is dropped."""
        if part == "kind":
            return dict(table) if value == table.get("kind") else {"kind": value}
        owners = [name for name, variant in self.variants.items() if part in _fields(variant)]
        if owners and "kind" in table and table["kind"] not in owners:
            return {part: value}
        return {**table, part: value}

    def _build(self, kind: object, settings: dict[str, Any], key: str) -> object:
        if kind not in self.variants:
            hint = did_you_mean(str(kind), self.variants) or f" Choose {self._names()}."
            raise RecipeError(f"{key}={kind!r} is unknown.{hint}")
        variant = self.variants[str(kind)]
        fields = _fields(variant)
        for name, value in settings.items():
            if name not in fields:
                own = f" {kind!r} has {', '.join(fields) or 'no settings'}."
                hint = did_you_mean(name, fields) or own
                raise RecipeError(f"unknown recipe key '{key}.{name}'.{hint}")
            settings[name] = _typed(value, fields[name], f"{key}.{name}")
        missing = _required(variant) - settings.keys()
        if missing:
            raise RecipeError(f"{key}={kind!r} needs a value for {', '.join(sorted(missing))}")
        try:
            return variant(**settings)
        except RecipeError as error:
            raise RecipeError(f"{key}.{error}") from None

    def _kind_of(self, settings: Mapping[str, Any], key: str) -> str:
        """Return the only variant that has all these settings."""
        fitting = [
            name
            for name, variant in self.variants.items()
            if settings.keys() <= _fields(variant).keys()
        ]
        if len(self.variants) == 1:
            return next(iter(self.variants))
        if len(fitting) == 1:
            return fitting[0]
        meant = next((name for name in self.variants if name in settings), "…")
        raise RecipeError(
            f'{key}={dict(settings)!r} needs a kind, as in {key} = {{ kind = "{meant}" }}; choose '
            f"{self._names()}"
        )

    def _names(self) -> str:
        return ", ".join(self.variants)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def validate(value: object, info: ValidationInfo) -> object:
            return self.parse(value, info.field_name or "value")

        return core_schema.with_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(self.dump),
        )


def _fields(variant: type) -> dict[str, Any]:
    hints = get_type_hints(variant)
    return {field.name: hints[field.name] for field in dataclasses.fields(variant)}


def _required(variant: type) -> set[str]:
    missing = dataclasses.MISSING
    return {field.name for field in dataclasses.fields(variant) if field.default is missing}


def _typed(value: object, hint: Any, key: str) -> object:
    """Return `value` as the type `hint`, or raise `RecipeError` naming `key`."""
    try:
        if isinstance(value, bool):
            raise RecipeError(f"{key}={value!r} is a truth value where none is expected")
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise RecipeError(f"{key}={value!r} {plain_reason(error.errors()[0]['msg'])}") from None


def plain_reason(message: str) -> str:
    """Return pydantic's reason as the predicate of a sentence that begins with ``key=value``."""
    reason = message.replace("Input should be", "must be", 1)
    return reason[0].lower() + reason[1:]
