"""A real model, SmolLM2-135M-Instruct: it goes on, answers, keeps to rules, and knows Paris."""

from __future__ import annotations

import manyheads as mh
from manyheads.generate import Finish

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
