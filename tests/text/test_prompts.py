from __future__ import annotations

import pytest

from manyheads.text import Prompts


@pytest.mark.parametrize(
    ("names", "query", "document"),
    [
        ((), None, None),
        (("query", "passage"), "query", "passage"),
        (("corpus", "document"), None, "document"),
        (("classification",), None, None),
    ],
)
def test_a_search_has_prompts_by_their_usual_names(
    names: tuple[str, ...], query: str | None, document: str | None
) -> None:
    prompts = Prompts(dict.fromkeys(names, "some: "))
    assert prompts.query == query and prompts.document == document


def test_an_empty_prompt_stands_behind_one_that_says_something() -> None:
    assert Prompts({"document": "", "passage": "read: "}).document == "passage"
    assert Prompts({"document": "", "passage": ""}).document == "document"


def test_where_a_search_has_none_the_default_holds() -> None:
    prompts = Prompts({"text": "read: "}, default="text")
    assert prompts.named(prompts.query) == prompts.named(prompts.document) == "read: "
