"""The few elements of HTML that a page of results is made of; all text is escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from manyheads.data.dataset import printable

_STYLE = Path(__file__).with_name("page.css")


class Markup(str):
    """What is HTML already; any other text is escaped where it is used."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """Return a value as HTML shows it, control characters and lone surrogates visibly replaced."""
    if isinstance(value, Markup):
        return value
    text = "".join(
        one if one >= " " or one in "\t\n" else "\ufffd" for one in printable(str(value))
    )
    return Markup(html.escape(text))


def joined(parts: Iterable[object]) -> Markup:
    """Return parts one after the other."""
    return Markup("\n".join(map(escaped, parts)))


def element(tag: str, content: object, *, of: str = "") -> Markup:
    """Return an element; `of` is the name of its class."""
    kind = f' class="{of}"' if of else ""
    return Markup(f"<{tag}{kind}>{escaped(content)}</{tag}>")


def section(title: str, *parts: object) -> Markup:
    """Return a section of the page under its heading."""
    return element("section", joined([element("h2", title), *parts]), of="card")


def paragraph(text: object) -> Markup:
    """Return a paragraph of small print."""
    return element("p", text, of="quiet")


def folded(summary: str, *parts: object) -> Markup:
    """Return what is shown when somebody asks for it."""
    return element("details", joined([element("summary", summary), *parts]))


def table(
    caption: str, header: Sequence[str], rows: Iterable[Sequence[object]], *, words: int = 1
) -> Markup:
    """Return a table with a caption, which scrolls sideways where the screen is narrow.

    The first `words` columns hold words, the others numbers.
    """

    def cells(tag: str, values: Sequence[object]) -> Markup:
        kinds = ["" if number < words else "number" for number in range(len(values))]
        scope = ' scope="col"' if tag == "th" else ""
        made = [
            f"<{tag}{scope}{f' class={kind}' if kind else ''}>{escaped(value)}</{tag}>"
            for value, kind in zip(values, kinds, strict=True)
        ]
        return Markup(f"<tr>{''.join(made)}</tr>")

    head = element("thead", cells("th", header))
    body = element("tbody", joined(cells("td", row) for row in rows))
    inside = element("table", joined([element("caption", caption), head, body]))
    name = html.escape(caption, quote=True)
    # A region that scrolls must be reached by the keyboard.
    return Markup(
        f'<div class="scroll" role="region" tabindex="0" aria-label="{name}">{inside}</div>'
    )


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Return names with their values."""
    made = [
        element("div", joined([element("dt", name), element("dd", value)])) for name, value in pairs
    ]
    return element("dl", joined(made), of="facts")


def link(address: str, text: object) -> Markup:
    """Return a link to another page, by its address as seen from this one."""
    return Markup(f'<a href="{html.escape(address, quote=True)}">{escaped(text)}</a>')


def drawing(width: int, height: int, description: str, shapes: Iterable[str], *, of: str) -> Markup:
    """Return a drawing of SVG shapes in the colours of the page; `of` is the name of its class."""
    inside = "\n".join(shapes)
    return Markup(
        f'<svg class="{of}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{html.escape(description, quote=True)}">\n{inside}\n</svg>'
    )


def picture(png: bytes, description: str) -> Markup:
    """Return a picture within the page."""
    data = base64.b64encode(png).decode("ascii")
    alt = html.escape(description, quote=True)
    return Markup(f'<img alt="{alt}" src="data:image/png;base64,{data}">')


def page(title: str, lead: object, sections: Iterable[object]) -> str:
    """Return a whole page, which needs no other file, no network and no script."""
    style = _STYLE.read_text(encoding="utf-8")
    head = joined([element("h1", title), paragraph(lead)])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"{element('title', title)}\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{element('header', head)}\n{element('main', joined(sections))}\n</body>\n</html>\n"
    )
