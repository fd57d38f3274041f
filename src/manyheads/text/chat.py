"""Chat templates: how a model's folder turns a dialogue into the text that the model reads.

A template is a program of the Jinja language that somebody published, so that it runs in Jinja's
sandbox and sees nothing but plain values. Needs the package jinja2.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from manyheads.errors import ConfigError, MissingExtra, TextError

if TYPE_CHECKING:
    from jinja2 import Environment, Template

Message = Mapping[str, Any]  # {"role": "user", "content": "…"}, and what a template knows besides


@dataclass(frozen=True)
class ChatTemplate:
    """A published template.

    Attributes:
        source: Its text.
        special: Special tokens by the names that templates use, such as ``bos_token``.
    """

    source: str
    special: Mapping[str, str] = field(default_factory=dict)

    def render(
        self,
        messages: Sequence[Message],
        *,
        reply: bool = True,
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the text of a dialogue, special tokens included.

        Args:
            messages: What was said, in order, each with ``role`` and ``content``.
            reply: Whether the text ends where the model's reply begins.
            variables: What else the template may ask for, such as ``tools`` or ``documents``.

        Raises:
            TextError: The messages are no plain values, or not in an order that the template takes.
            ConfigError: The template cannot be read.
            MissingExtra: Without the package jinja2.
        """
        context = {
            "messages": _plain(messages, "messages"),
            "tools": None,
            "documents": None,
            "add_generation_prompt": reply,
            **self.special,
            **_plain(dict(variables or {}), "variables"),
        }
        template = _compiled(self.source)
        from jinja2 import TemplateError

        try:
            return template.render(context)
        except (TemplateError, TypeError, KeyError, AttributeError) as error:
            raise TextError(
                f"the chat template of this model refuses the dialogue ({error}); it must be "
                "messages with 'role' and 'content', in an order that the model knows"
            ) from error


@lru_cache(maxsize=16)
def _compiled(source: str) -> Template:
    """Return a template ready to run: raises `ConfigError` where it is none."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtra("jinja2", "chat", "a dialogue with a model") from error
    try:
        return _environment().from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(
            f"the chat template of this model is damaged (line {error.lineno}: {error.message}); "
            "restore it"
        ) from error


def _environment() -> Environment:
    """Return the sandbox with what published templates count on."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """Reads over ``{% generation %} … {% endgeneration %}``, a mark for those who train."""

        tags = {"generation"}  # noqa: RUF012 - as the base class has it

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    functions: dict[str, Callable[..., Any]] = {
        "raise_exception": refuse,
        "strftime_now": lambda form: datetime.now().strftime(form),
    }
    environment.globals.update(functions)
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return JSON as it is: Jinja's own filter would escape it for web pages."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _plain(value: Any, name: str) -> Any:
    """Return a copy that holds plain values alone, so that a template can do nothing with it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError) as error:
        raise TextError(
            f"{name} of a dialogue must be texts, numbers, lists and dictionaries ({error})"
        ) from error
