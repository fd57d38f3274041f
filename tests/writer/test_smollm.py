"""A real model, SmolLM2-135M-Instruct: it goes on, answers, keeps to rules, and knows Paris."""

from __future__ import annotations

import pytest

import manyheads as mh
from manyheads.generate import (
    Draft,
    Engine,
    Finish,
    Lookup,
    Request,
    Rounded,
    Settings,
    Writer,
)

PROMPT = "The capital of France is"
QUESTION = {"role": "user", "content": "What is the capital of France?"}
SHORT = mh.Wording(max_tokens=12)


def test_it_goes_on_with_a_text(smollm: mh.Generator) -> None:
    assert smollm(PROMPT, SHORT).startswith(" Paris.")
    assert "".join(smollm.stream(PROMPT, SHORT)) == smollm(PROMPT, SHORT)


def test_it_answers(smollm: mh.Generator) -> None:
    assert smollm.chats
    assert smollm.chat([QUESTION]) == "The capital of France is Paris."
    messages = [
        {"role": "user", "content": "What is 2 + 3?"},
        {"role": "assistant", "content": "2 + 3 = 5"},
        {"role": "user", "content": "What did I ask?"},
    ]
    assert "2 and 3" in smollm.chat(messages, mh.Wording(max_tokens=20))


def test_an_answer_ends_by_itself(smollm: mh.Generator) -> None:
    (written,) = smollm.outputs([QUESTION["content"]], mh.Wording(instruction=""))[0]
    assert written.finish is Finish.END
    assert written.tokens[-1] == "<|im_end|>"
    assert "<|im_end|>" not in written.text


def test_it_finds_paris_more_probable_than_rome(smollm: mh.Generator) -> None:
    paris, rome = smollm.score([PROMPT] * 2, [" Paris.", " Rome."])
    assert paris.log_prob > rome.log_prob + 5
    whole, wrong = smollm.score([f"{PROMPT} Paris.", f"{PROMPT} Rome."])
    assert whole.perplexity < wrong.perplexity


def test_it_keeps_to_rules(smollm: mh.Generator) -> None:
    free = smollm(PROMPT, SHORT)
    banned = smollm(PROMPT, mh.Wording(max_tokens=12, banned=("Paris",)))
    assert "Paris" in free
    assert "Paris" not in banned
    wording = mh.Wording(mh.Beam(4), max_tokens=16, required=("river", "bridge"))
    found = smollm("In the old town there is", wording)
    assert " river" in found
    assert " bridge" in found
    assert smollm(PROMPT, mh.Wording(max_tokens=8, stop=(".",))) == " Paris"


def test_samples_depend_on_their_seed_alone(smollm: mh.Generator) -> None:
    def drawn(seed: int, texts: list[str]) -> str:
        return smollm(texts, mh.Wording(mh.Sample(0.9, top_p=0.9), max_tokens=8, seed=seed))[0]

    assert drawn(1, ["I like"]) == drawn(1, ["I like", "A much longer text that is beside it"])
    assert len({drawn(seed, ["I like"]) for seed in range(4)}) > 1


@pytest.mark.parametrize("draft", [Rounded(), Lookup()], ids=repr)
def test_guesses_change_nothing(smollm: mh.Generator, draft: Rounded | Lookup) -> None:
    guided = mh.Generator(smollm.model, draft=draft)
    texts, wording = ["Once upon a time", PROMPT, "One, two, three,"], mh.Wording(max_tokens=24)
    assert guided(texts, wording) == smollm(texts, wording)
    assert [guided(text, wording) for text in texts] == smollm(texts, wording)
    drawn = mh.Wording(mh.Sample(0.8), max_tokens=24, seed=4)
    assert guided(PROMPT, drawn) == smollm(PROMPT, drawn)


def test_a_rounded_copy_saves_most_steps(smollm: mh.Generator) -> None:
    def steps(draft: Draft | None) -> int:
        (encoded,) = smollm.model.require_tokenizer().encode(["A good friend is someone who"])
        engine = Engine(Writer(smollm.model.transformer, frozenset()), draft=draft)
        engine.add(Request(list(encoded.pieces[0].ids), None, Settings(max_tokens=48)))
        count = 0
        while engine.busy:
            engine.step()
            count += 1
        return count

    assert steps(None) == 48
    assert steps(Rounded().draft(smollm.model.transformer)) < 16
