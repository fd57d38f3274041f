"""Questions about contexts: how they are split, and what `check` says of them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import manyheads as mh
from manyheads.data import Report, check, read
from manyheads.errors import DataError


def rows(contexts: int, each: int = 4) -> dict[str, list[Any]]:
    """Questions about contexts, of some in other case and with other white space."""
    columns: dict[str, list[Any]] = {"question": [], "context": [], "answers": []}
    for number in range(contexts * each):
        topic, place = number % contexts, number // contexts
        context = f"The ball {topic} is red."
        columns["question"].append(f"What is the ball, asks {place}?")
        columns["context"].append(context if place % 2 else context.replace(" is", "  IS"))
        columns["answers"].append({"text": ["red"], "answer_start": [context.index("red")]})
    return columns


def topics(split: Any) -> set[str]:
    return {context.split()[2] for context in split.columns["pair"]}


@pytest.mark.parametrize("seed", range(5))
def test_questions_about_a_context_stay_together(seed: int) -> None:
    data = read(rows(20), valid=0.2, test=0.1, seed=seed)
    assert (len(data.train), len(data.valid), len(data.test)) == (56, 16, 8)
    sides = [topics(split) for split in data.splits()]
    assert sum(map(len, sides)) == 20 and len(set.union(*sides)) == 20
    assert [len(side) for side in sides] == [14, 4, 2]


def test_pairs_of_other_tasks_are_split_row_by_row() -> None:
    columns = rows(2, 40)
    columns["answers"] = ["yes", "no"] * 40
    data = read(columns, text="question", pair="context", label="answers", valid=0.5)
    assert len(topics(data.train) & topics(data.valid)) == 0  # so called, they are answers
    columns["label"] = columns.pop("answers")
    data = read(columns, text="question", pair="context", valid=0.5)
    assert len(topics(data.train) & topics(data.valid)) == 2


def test_a_single_context_cannot_be_split() -> None:
    data = read(rows(1, 8), valid=0.25)
    assert data.valid is None
    assert "no valid split" in data.summary()


def test_plain_answers_of_a_csv_are_texts_and_none_is_none(tmp_path: Path) -> None:
    path = tmp_path / "qa.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("question", "context", "answer"),
                ("when", "in 1914", "1914"),
                ("when", "in 1939", "1939"),
                ("who", "in 1939", ""),
            ]
        )
    data = read(path, valid=0)
    assert data.names == {"text": "question", "pair": "context", "label": "answer"}
    assert "by their names: text='question', pair='context', label='answer'" in data.summary()
    assert data.train.columns["label"] == ["1914", "1939", ""]
    mh.Answering().check(data.train.columns, data.train.describe)
    assert mh.Answering().fit_to(data.train.columns, data.train.describe).may_refuse
    assert kinds(check(data)) <= {"scripts"}


def test_other_columns_can_be_named_too() -> None:
    columns = rows(20)
    named = dict(zip(("q", "passage", "gold"), columns.values(), strict=True))
    data = read(named, text="q", pair="passage", label="gold", valid=0.25)
    assert not topics(data.train) & topics(data.valid)


def kinds(report: Report) -> set[str]:
    return {finding.kind for finding in report.findings}


def finding(report: Report, kind: str) -> Any:
    (found,) = (one for one in report.findings if one.kind == kind)
    return found


def test_answers_are_not_taken_for_classes() -> None:
    columns = rows(20)
    columns["answers"][3] = {"text": [], "answer_start": []}
    columns["answers"][7] = None
    report = check(read(columns, valid=0.2))
    assert kinds(report) == {"scripts"}
    assert "without" in report.summary


def test_answers_that_are_not_in_their_context_are_counted() -> None:
    columns = rows(10)
    columns["answers"][4] = {"text": ["red", "blue"], "answer_start": [14, 3]}
    columns["answers"][8] = "Red"
    columns["answers"][9] = ["ball"]
    found = finding(check(read(columns, valid=0)), "answer_elsewhere")
    assert found.severity == "error" and found.rows == {"train": [5, 9]}
    assert found.message == "2 rows with an answer that is not in the context"


def test_contexts_in_several_splits_are_told() -> None:
    columns = rows(10)
    test = {name: values[:3] for name, values in rows(20).items()}
    report = check(read(columns, valid=0, test=test))
    found = finding(report, "shared_context")
    assert found.message == "3 contexts of test also in train, with 3 questions of test"
    assert found.rows["test"] == [1, 2, 3] and len(found.rows["train"]) == 12
    assert "shared_context" not in kinds(check(read(columns, valid=0.3, test=0.2)))


def test_answers_in_several_rows_are_no_conflict_of_labels() -> None:
    columns = rows(10)
    for name in ("question", "context"):
        columns[name] += [columns[name][2], columns[name][3]]
    columns["answers"] += [["ball", "red"], "red"]  # the last one as it was
    report = check(read(columns, valid=0))
    assert finding(report, "scattered_answers").rows == {"train": [3, 41]}
    assert "conflict" not in kinds(report)


def test_very_long_answers_are_told() -> None:
    columns = rows(4)
    long, chinese = " ".join(["word"] * 31), "图" * 31
    columns["context"][:3] = [f"It is {long}.", f"It is {chinese}.", f"It is {long} or red."]
    columns["answers"][:3] = [[long], [chinese], [long, "red"]]
    found = finding(check(read(columns, valid=0)), "long_answer")
    assert found.rows == {"train": [1, 2]} and "longest" in found.remedy


def test_nothing_is_said_to_be_cut_of_what_is_read_in_windows(minilm: str) -> None:
    from manyheads.hub import locate

    tokenizer = mh.Tokenizer.from_folder(locate(minilm))
    report = check(read(rows(10), valid=0), tokenizer=tokenizer, max_tokens=8)
    assert kinds(report) == {"scripts"}


@pytest.mark.parametrize(
    ("label", "said"), [("answer", None), ("reply", "call the column 'answer'")]
)
def test_a_question_without_an_answer_in_a_table(label: str, said: str | None) -> None:
    columns = {"text": ["Who?", "What?"], "pair": ["It was Ada."] * 2, label: ["Ada", None]}
    if said is None:
        assert read(columns, pair="pair", label=label).train.columns["label"] == ["Ada", None]
    else:
        with pytest.raises(DataError, match=said):
            read(columns, pair="pair", label=label)
