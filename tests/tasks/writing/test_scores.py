from __future__ import annotations

import math
import subprocess
import sys

import pytest

from manyheads.errors import DataError, RecipeError
from manyheads.tasks import (
    Bleu,
    CharacterErrors,
    Chrf,
    Nist,
    Rouge,
    RougeKind,
    RougeWords,
    Ter,
    TextScores,
    Tokenisation,
    WordErrors,
    language_model_scores,
    summary_metrics,
    text_scores,
    translation_metrics,
)
from manyheads.train.early_stopping import lower_is_better

# The example of sacrebleu's README: two references for each of three outputs.
OUTPUTS = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
REFERENCES = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["The man bit him first.", "The man had bitten the dog."],
]
ALL = (
    Bleu(),
    Chrf(),
    Ter(),
    Nist(),
    *(Rouge(kind) for kind in RougeKind),
    WordErrors(),
    CharacterErrors(),
)


def score(metric, expected, predicted):
    return text_scores(expected, predicted, [metric]).value(metric.name)


def test_the_published_example_of_sacrebleu():
    scores = text_scores(REFERENCES, OUTPUTS, [Bleu(), Chrf()])
    assert scores.value("bleu") == pytest.approx(48.530827009929865)
    assert scores.value("chrf") == pytest.approx(59.73, abs=0.005)
    assert scores.scores["bleu"].signature.startswith(
        "nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:"
    )


def test_bleu_by_hand():
    assert score(Bleu(), ["a b c d e"], ["a b c d"]) == pytest.approx(100 * math.exp(1 - 5 / 4))
    assert score(Bleu(), ["a b c d"], ["A b c d"]) < 80
    assert score(Bleu(lowercase=True), ["a b c d"], ["A b c d"]) == pytest.approx(100)
    assert score(Bleu(), ["a b c d"], ["x"]) == 0
    # "d," is one word unless the tokenisation takes the comma off
    assert score(Bleu(), ["a b c d, e"], ["a b c d , e"]) == pytest.approx(100)
    assert score(Bleu(Tokenisation.NONE), ["a b c d, e"], ["a b c d , e"]) < 80


def test_references_may_differ_in_number_and_the_signature_says_so():
    scores = text_scores([["x", "a b c d"], "e f g h"], ["a b c d", "e f g h"], [Bleu(), Ter()])
    assert scores.value("bleu") == pytest.approx(100)
    assert scores.scores["bleu"].signature.startswith("nrefs:var|")


def test_chrf_with_words_is_another_number_of_another_signature():
    one, other = (text_scores(["a b c"], ["a b d"], [chrf]) for chrf in (Chrf(), Chrf(words=2)))
    assert one.value("chrf") != other.value("chrf")
    assert "nw:2" in other.scores["chrf"].signature


def test_ter_by_hand():
    assert score(Ter(), ["the cat sat"], ["the cat"]) == pytest.approx(100 / 3)
    assert score(Ter(), ["a b c d"], ["c d a b"]) == pytest.approx(25)  # one shift of a phrase
    assert score(Ter(), ["The cat"], ["the cat"]) == 0
    assert score(Ter(lowercase=False), ["The cat"], ["the cat"]) == pytest.approx(50)
    assert score(Ter(), ["我喜欢猫"], ["我喜欢狗"]) == pytest.approx(100)
    assert score(Ter(characters=True), ["我喜欢猫"], ["我喜欢狗"]) == pytest.approx(25)


def test_nist_by_hand():
    plain = Nist(Tokenisation.NONE)
    assert score(plain, ["a b c d"], ["a b c d"]) == pytest.approx(math.log2(4))
    penalty = math.exp(math.log(0.5) / math.log(1.5) ** 2 * math.log(0.5) ** 2)
    assert score(plain, ["a b c d"], ["a b"]) == pytest.approx(math.log2(4) * penalty)
    assert score(plain, ["a b c d"], [""]) == 0
    assert score(plain, ["a B"], ["a b"]) == pytest.approx(1)
    assert score(Nist(Tokenisation.NONE, lowercase=False), ["a B"], ["a b"]) == pytest.approx(0.5)
    with pytest.raises(DataError, match="the references hold no words"):
        score(plain, [""], ["a"])


def test_nist_equals_the_published_example_of_nltk():
    output = (
        "It is a guide to action which ensures that the military always obeys the commands "
        "of the party"
    )
    references = [
        "It is a guide to action that ensures that the military will forever heed Party commands",
        "It is the guiding principle which guarantees the military forces always being under "
        "the command of the Party",
        "It is the practical guide for the army always to heed the directions of the party",
    ]
    metric = Nist(Tokenisation.NONE, lowercase=False)
    assert score(metric, [references], [output]) == pytest.approx(3.3709, abs=1e-4)


def test_rouge_equals_the_published_example():
    reference, output = (
        "The quick brown fox jumps over the lazy dog",
        "The quick brown dog jumps on the log.",
    )
    scores = text_scores([reference], [output], summary_metrics("en"))
    f1 = {"rouge1": (6 / 8, 6 / 9), "rouge2": (2 / 7, 2 / 8), "rougeL": (5 / 8, 5 / 9)}
    for name, (precision, recall) in f1.items():
        expected = 200 * precision * recall / (precision + recall)
        assert scores.value(name) == pytest.approx(expected), name


def test_rouge_is_the_mean_of_the_best_references():
    unigrams = Rouge(RougeKind.UNIGRAMS)
    assert score(unigrams, [["x y", "a b"], "c d"], ["a b", "c x"]) == pytest.approx(75)


def test_rouge_stems_english_only_when_told():
    plain, stemmed = Rouge(RougeKind.UNIGRAMS), Rouge(RougeKind.UNIGRAMS, stemming=True)
    assert score(plain, ["jumping dogs"], ["jumped dog"]) == 0
    assert score(stemmed, ["jumping dogs"], ["jumped dog"]) == pytest.approx(100)
    with pytest.raises(
        RecipeError, match="stemming=True is for English words; with words='unicode'"
    ):
        Rouge(words=RougeWords.UNICODE, stemming=True)


def test_rouge_reads_letters_beyond_english():
    one, other = Rouge(RougeKind.UNIGRAMS), Rouge(RougeKind.UNIGRAMS, RougeWords.UNICODE)
    assert score(one, ["für"], ["fär"]) == pytest.approx(100)  # the original sees "f r" twice
    assert score(other, ["für"], ["fär"]) == 0
    chinese = Rouge(RougeKind.UNIGRAMS, RougeWords.CHARACTERS)
    assert score(one, ["我喜欢猫"], ["我喜欢猫"]) == 0
    assert score(chinese, ["我喜欢GPT 2。"], ["我喜爱gpt-2！"]) == pytest.approx(80)
    assert [metric.words for metric in summary_metrics("zh-TW")] == [RougeWords.CHARACTERS] * 3
    assert summary_metrics("de")[0].words is RougeWords.UNICODE


def test_error_rates_by_hand():
    assert score(WordErrors(), ["hello world"], ["hello duck"]) == pytest.approx(50)
    assert score(WordErrors(), ["a b c", "d"], ["a x b", "d"]) == pytest.approx(50)
    assert score(WordErrors(), ["Hello"], ["hello"]) == pytest.approx(100)
    assert score(WordErrors(lowercase=True), ["Hello"], ["hello"]) == 0
    assert score(WordErrors(), ["a b"], ["a b c d e"]) == pytest.approx(150)
    assert score(CharacterErrors(), ["我喜欢猫", "ab c"], ["我喜欢狗", "abc"]) == pytest.approx(25)


def test_an_empty_reference_costs_what_is_put_in():
    assert score(WordErrors(), ["a b c", ""], ["a b c", "x"]) == pytest.approx(100 / 3)
    assert score(WordErrors(), ["", ""], ["", ""]) == 0
    assert score(WordErrors(), [""], ["x"]) == pytest.approx(100)


def test_the_nearest_reference_counts():
    scores = text_scores([["a b c", "a x"], "d"], ["a x", "d"], [WordErrors()])
    assert scores.value("wer") == 0
    assert "refs:nearest" in scores.scores["wer"].signature


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_perfect_output_and_an_empty_one(metric):
    expected = ["one two three four five six", "seven eight nine ten eleven twelve"]
    perfect, empty = score(metric, expected, expected), score(metric, expected, ["", ""])
    if metric.lower_is_better:
        assert (perfect, empty) == (0, pytest.approx(100))
    else:
        assert empty == 0
        assert perfect == pytest.approx(math.log2(12) if metric.name == "nist" else 100)
    assert lower_is_better(metric.name) == metric.lower_is_better


def test_scores_are_asked_by_name_written_as_json_and_printed():
    scores = text_scores(REFERENCES, OUTPUTS, [Bleu(), Ter()])
    assert isinstance(scores, TextScores)
    assert list(scores.numbers()) == ["bleu", "ter"]
    with pytest.raises(RecipeError, match=r"metric 'blue' is unknown here\. Did you mean 'bleu'"):
        scores.value("blue")
    document = scores.to_json()
    assert (document["count"], document["bleu"]) == (3, scores.value("bleu"))
    assert document["signatures"]["ter"] == scores.scores["ter"].signature
    assert str(scores).splitlines()[0] == f"bleu    48.53   {scores.scores['bleu'].signature}"
    assert (
        str(scores)
        .splitlines()[1]
        .startswith("ter ↓   52.00" if scores.value("ter") == 52 else "ter ↓")
    )


@pytest.mark.parametrize(
    ("expected", "predicted", "metrics", "message"),
    [
        ([], [], ALL, "there are no texts to score"),
        (["a"], ["a", "b"], ALL, "2 texts for 1 references; give one for each"),
        (["a", []], ["a", "b"], ALL, "example 2 has no reference"),
        (["a", "b"], ["a", None], ALL, r"example 2 holds \('b', None\); texts must be strings"),
        (["a"], ["a"], [], r"metrics \[\] cannot be told apart"),
        (["a"], ["a"], [Chrf(), Chrf(words=2)], r"\['chrf', 'chrf'\] cannot be told apart"),
    ],
)
def test_what_cannot_be_scored(expected, predicted, metrics, message):
    with pytest.raises(DataError, match=message):
        text_scores(expected, predicted, metrics)


def test_tokenisation_follows_the_language(monkeypatch):
    of = Tokenisation.of_language
    assert of("zh-CN") is of("zh_TW") is of("ZH") is Tokenisation.CHINESE
    assert of("th") is Tokenisation.CHARACTERS
    assert of("de") is of("ko") is Tokenisation.WMT
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert of("ja") is Tokenisation.CHARACTERS
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert of("ja") is Tokenisation.JAPANESE
    bleu, chrf, ter = translation_metrics("zh")
    assert (bleu, chrf, ter) == (Bleu(Tokenisation.CHINESE), Chrf(), Ter(characters=True))
    scores = text_scores(["我喜欢猫和狗。"], ["我喜欢猫和狗。"], translation_metrics("zh"))
    assert scores.value("bleu") == pytest.approx(100)
    assert "tok:zh" in scores.scores["bleu"].signature


def test_a_tokenisation_that_needs_more_says_so():
    pytest.importorskip("sacrebleu")
    import importlib.util

    if importlib.util.find_spec("mecab_ko"):
        pytest.skip("sacrebleu[ko] is installed")
    with pytest.raises(DataError, match=r"ko-mecab needs more: `pip install 'sacrebleu\[ko\]'`"):
        score(Bleu(Tokenisation.KOREAN), ["a"], ["a"])


def test_language_models_by_hand():
    scores = language_model_scores(nats=10 * math.log(4), tokens=10, text_bytes=40)
    assert scores.value("perplexity") == pytest.approx(4)
    assert scores.value("bits_per_byte") == pytest.approx(0.5)
    assert scores.to_json()["tokens"] == 10
    assert language_model_scores(1e6, 1, 1).perplexity == math.inf
    assert all(map(lower_is_better, scores.numbers()))
    for tokens, text_bytes in [(0, 1), (1, 0)]:
        with pytest.raises(DataError, match="cannot be scored"):
            language_model_scores(1.0, tokens, text_bytes)


@pytest.mark.parametrize(
    ("library", "metric"),
    [
        ("sacrebleu", "Bleu()"),
        ("rouge_score", "Rouge()"),
        ("jiwer", "WordErrors()"),
        ("nltk", "Nist()"),
    ],
)
def test_without_a_library_the_extra_is_named(library, metric):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from manyheads.tasks import *\n"
        f"try: text_scores(['a'], ['a'], [{metric}])\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'manyheads[eval]'" in done.stdout
    assert library.replace("_", "-") in done.stdout


def test_no_library_is_imported_before_it_is_needed():
    code = "import sys, manyheads.tasks; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sacrebleu", "rouge_score", "jiwer", "nltk"} & set(done.stdout.split())
