import json

import pytest

from manyheads.data import Severity, check, read
from manyheads.data.checks.texts import main_script
from manyheads.errors import DataError


def dataset(texts, labels=None, **others):
    columns = {"text": texts} if labels is None else {"text": texts, "label": labels}
    return read(columns, valid=others.pop("valid", 0), **others)


def different(count):
    return [f"text {chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(count)]


def found(data, kind, **options):
    """The only finding of a kind."""
    (finding,) = (f for f in check(data, **options).findings if f.kind == kind)
    return finding


def kinds(data, **options):
    return {finding.kind for finding in check(data, **options).findings}


def test_a_clean_dataset_has_nothing_to_mend():
    report = check(dataset(different(40), ["a", "b"] * 20))
    assert [finding.kind for finding in report.findings] == ["scripts"]
    assert report.worst is Severity.NOTE
    assert report.text().endswith("Nothing needs mending.")


def test_rows_are_the_lines_of_the_file(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('text,label\n"a\nb",x\n,y\nc,x\n" ",y\n')
    finding = found(read(path, valid=0), "empty")
    assert finding.rows == {"train": [4, 6]}
    assert finding.message == "2 rows with an empty text"
    assert finding.places == ("train: lines 4, 6 of x.csv",)


def test_files_are_named_for_a_folder_of_classes(tmp_path):
    for name in ["a/1.txt", "a/2.txt", "b/1.txt"]:
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Same" if name == "a/2.txt" else f"text {name[0]}")
    (tmp_path / "films" / "b" / "2.txt").write_text("same ")
    finding = found(read(tmp_path / "films", valid=0), "conflict")
    assert finding.rows == {"train": [2, 4]}
    assert finding.places == ("train: a/2.txt, b/2.txt in films",)


def test_duplicates_and_conflicts():
    texts = ["one two", "One  two ", "three", "ONE TWO", "three"]
    data = dataset(texts, ["a", "a", "b", "c", "b"])
    assert found(data, "duplicate").rows == {"train": [2, 5]}
    finding = found(data, "conflict")
    assert finding.rows == {"train": [1, 2, 4]}
    assert finding.message == "1 text with different labels"


def test_the_same_entities_in_two_schemes_are_no_conflict():
    words = ["Ada", "King", "met", "Babbage"]
    iob2, bilou = ["B-PER", "I-PER", "O", "B-PER"], ["B-PER", "L-PER", "O", "U-PER"]
    for other, is_torn in ((bilou, False), (["B-PER", "L-PER", "O", "O"], True)):
        data = read(
            {"tokens": [words], "tags": [iob2]},
            test={"tokens": [words], "tags": [other]},
            text="tokens",
            label="tags",
        )
        assert ("conflict" in kinds(data)) is is_torn


def test_the_order_of_labels_in_a_list_is_no_conflict():
    data = dataset(["same", "same"], [["a", "b"], ["b", "a"]])
    assert "conflict" not in kinds(data)
    assert found(data, "duplicate").rows == {"train": [2]}


def test_rows_without_labels_repeat_by_their_text():
    assert found(dataset(["a", "b", "A"]), "duplicate").rows == {"train": [3]}


def test_pairs_are_compared_as_pairs():
    data = read(
        {"a": ["x", "x", "x"], "b": ["p", "q", "P"], "label": [0, 1, 0]},
        text="a",
        pair="b",
        valid=0,
    )
    assert found(data, "duplicate").rows == {"train": [3]}


def test_leakage_is_found_up_to_case_and_white_space():
    data = dataset(
        ["alpha one", "beta two", "gamma three"],
        ["x", "y", "x"],
        valid={"text": ["Beta  TWO", "delta"], "label": ["y", "x"]},
        test={"text": ["alpha one", "delta", "alpha one", "beta two"], "label": list("xyxy")},
    )
    leaks = [finding for finding in check(data).findings if finding.kind == "leakage"]
    assert [leak.rows for leak in leaks] == [
        {"valid": [1], "train": [2]},
        {"test": [1, 3, 4], "train": [1, 2]},
        {"test": [2, 4], "valid": [1, 2]},
    ]
    assert leaks[1].message == (
        "3 of 4 rows in test (75.0%) have a text of train: 2 different texts, "
        "3 rows letter for letter and 0 up to case and white space"
    )
    assert "1 different text, 0 rows letter for letter and 1 up to case" in leaks[0].message


def test_what_read_holds_out_does_not_leak():
    texts = [f"text {i % 30}" for i in range(120)]
    assert "leakage" not in kinds(read({"text": texts, "label": ["a"] * 120}, valid=0.3))


def test_a_class_that_train_lacks_is_an_error():
    data = dataset(
        different(4), list("abab"), test={"text": ["p", "q", "r"], "label": ["a", "c", "c"]}
    )
    finding = found(data, "unknown_class")
    assert (finding.severity, finding.rows) == (Severity.ERROR, {"test": [2, 3]})
    assert finding.message == "test has classes that train lacks: 'c'"
    assert found(data, "untested_class").message == "test has no row of 'b'"


def test_one_class_only():
    finding = found(dataset(different(5), ["same"] * 5), "one_class")
    assert finding.severity is Severity.ERROR
    assert finding.message == "every row of train has the label 'same'"
    rare = dataset(different(5), [["same"], [], ["same"], [], []])
    assert "one_class" not in kinds(rare)


def test_labels_that_were_lost_in_memory():
    data = dataset(different(4), ["a", "b", "a", "b"])
    data.train.columns["label"][1:3] = [None, float("nan")]
    finding = found(data, "missing_label")
    assert (finding.severity, finding.rows) == (Severity.ERROR, {"train": [2, 3]})


def test_imbalance_and_rare_classes():
    data = dataset(different(104), ["big"] * 100 + ["small"] * 4)
    assert found(data, "imbalance").message == (
        "'big' has 100 rows (96.2% of train) and 'small' only 4"
    )
    finding = found(data, "rare_class")
    assert finding.message == "1 class with fewer than 10 rows in train: 'small'"
    assert finding.rows == {"train": [101, 102, 103, 104]}


def test_names_that_look_alike_or_absent():
    data = dataset(different(6), ["pos", "Pos ", "neg", "nan", "pos", "neg"])
    assert found(data, "similar_names").rows == {"train": [1, 2, 5]}
    assert found(data, "absent_name").rows == {"train": [4]}
    mixed = dataset(different(4), [1, "1", 1, "1"])
    assert found(mixed, "similar_names").message == "'1', 1 are different classes"


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([0, 4] * 10, "integer_labels"),
        ([1, 2] * 10, "integer_labels"),
        ([1.0, 2.0] * 10, "numbers_as_classes"),
        ([1, 2.0] * 10, "numbers_as_classes"),
        ([{"start": i} for i in range(20)], "hardly_repeat"),
        ([f"sentence {i}" for i in range(20)], "hardly_repeat"),
    ],
)
def test_labels_that_are_not_what_they_seem(labels, kind):
    assert found(dataset(different(20), labels), kind)


@pytest.mark.parametrize("labels", [[0, 1, 2, 1] * 5, [0.5, 1] * 10, ["1", "5"] * 10])
def test_labels_that_are_what_they_seem(labels):
    suspects = {"integer_labels", "numbers_as_classes", "hardly_repeat"}
    assert not suspects & kinds(dataset(different(20), labels))


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("plain", "Latin"),
        ("ça va и то", "Latin"),
        ("это not", "Cyrillic"),
        ("这个酒店 OK", "Han"),
        ("とてもよい本", "Kana"),
        ("정말 좋다", "Hangul"),
        ("αβγ", "Greek"),
        ("ＡＢＣ", "Latin"),
        ("12:30 !", None),
        ("😀 ＋１", None),
        ("", None),
    ],
)
def test_the_script_of_most_letters(text, script):
    assert main_script(text) == script


def test_scripts_are_mixed():
    data = dataset([*different(3), "это кино", "12:30"])
    finding = found(data, "scripts")
    assert finding.severity is Severity.WARNING
    assert finding.message == "train: Latin 75.0%, Cyrillic 25.0%"
    assert finding.rows == {"train": [4]}
    assert found(data, "no_letters").rows == {"train": [5]}


def test_markup():
    texts = ["a &amp; b", "x<br />y", "&#039;", "<!-- c -->", "AT&T; 1 < 2 > 0", "if a<b and b>c"]
    finding = found(dataset([*texts, "&amp;quot;"]), "html")
    assert finding.rows == {"train": [1, 2, 3, 4, 7]}
    assert finding.remedy == "clean them: --clean html"


def test_lone_surrogates_and_lost_characters():
    report = check(dataset(["fine", "half \udc00", "lost \ufffd"]))
    by_kind = {finding.kind: finding for finding in report.findings}
    assert by_kind["surrogates"].rows == {"train": [2]}
    assert by_kind["undecoded"].rows == {"train": [3]}
    assert report.worst is Severity.ERROR
    assert report.text().encode()


def test_findings_are_sorted_and_all_rows_are_in_the_json():
    texts = ["", *["again"] * 30, "b &amp;"]
    report = check(dataset(texts, ["x"] * 32))
    severities = [list(Severity).index(finding.severity) for finding in report.findings]
    assert severities == sorted(severities)
    values = json.loads(json.dumps(report.to_json()))
    (repeated,) = (f for f in values["findings"] if f["kind"] == "duplicate")
    assert repeated["rows"] == {"train": list(range(3, 32))}
    assert repeated["severity"] == "warning"
    assert "rows 3, 4, 5, 6, 7, 8, 9, 10, … (29 in all) of mapping" in report.text()


@pytest.fixture
def tokenizer(tmp_path):
    """Words separated by white space, between [CLS] and [SEP]; at most 6 tokens."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import models, pre_tokenizers, processors

    from manyheads.text.tokenizer import Tokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]
    backend = Backend(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    backend.save(str(tmp_path / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 6,
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return Tokenizer.from_folder(tmp_path)


def test_tokens_are_counted_and_what_a_limit_cuts(tokenizer):
    data = dataset(["a b", "a b a b a b", "\ud800 a"], test={"text": ["a " * 16]})
    report = check(data, tokenizer=tokenizer)
    tokens = {h.split: h for h in report.histograms if h.unit == "tokens"}
    assert (tokens["train"].longest, tokens["test"].longest) == (8, 18)
    (finding,) = (f for f in report.findings if f.kind == "truncation")
    assert finding.message == (
        "a limit of 6 tokens cuts 2 texts (50.0%) and 41.2% of all tokens"  # 2 + 12 of 34
    )
    assert finding.rows == {"train": [2], "test": [1]}
    assert found(data, "truncation", tokenizer=tokenizer, max_tokens=18).message == (
        "no text is longer than 18 tokens"
    )


def test_the_texts_of_a_pair_count_together(tokenizer):
    data = read({"x": ["a b"], "y": ["a"]}, text="x", pair="y", valid=0)
    assert [h.longest for h in check(data, tokenizer=tokenizer).histograms] == [4, 6]


def test_a_limit_needs_a_tokenizer():
    with pytest.raises(DataError, match="max_tokens=128 counts tokens; pass a tokenizer too"):
        check(dataset(["a"]), max_tokens=128)


def test_a_limit_must_keep_something(tokenizer):
    with pytest.raises(DataError, match="max_tokens=0 keeps nothing of a text"):
        check(dataset(["a"]), tokenizer=tokenizer, max_tokens=0)


def test_tokens_of_parallel_text_are_counted_for_each_side(tokenizer):
    data = read({"en": ["a b", "a"], "de": ["a", "a a a b"]}, text="en", target="de", valid=0)
    report = check(data, tokenizer=tokenizer, max_tokens=5)
    assert [(one.role, one.unit) for one in report.histograms] == [
        ("text", "characters"),
        ("text", "tokens"),
        ("target", "characters"),
        ("target", "tokens"),
    ]
    messages = [one.message for one in report.findings if one.kind == "truncation"]
    assert messages == [
        "a limit of 5 tokens cuts 1 target (50.0%) and 11.1% of all tokens",
        "no text is longer than 5 tokens",
    ]


def test_classes_that_differ_by_white_space_show_it():
    data = read({"text": [f"text {n}" for n in range(48)], "label": ["a", "a "] * 24})
    assert "'a ', 'a'" in check(data).text()
