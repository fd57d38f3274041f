"""What is made of samples."""

from __future__ import annotations

import json

import pytest

from manyheads.bench.report import Report, Sample, percentile
from manyheads.bench.routes import Answered

GOOD = Answered(1, 10)
BAD = Answered(0, None, ("status 500",))


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [float(one) for one in range(1, 101)]
    assert [percentile(ordered, share) for share in (0.01, 0.5, 0.99, 0.991)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.5) == 7.0


def test_a_report() -> None:
    answered = [Sample(number / 10, number / 10, number / 10 + 0.02, GOOD) for number in range(90)]
    failed = [Sample(5.0, 5.0, 5.1, BAD, "it broke")] * 2
    slow = [Sample(8.95, 8.95, 11.0, GOOD)]  # answered after the end: of no throughput
    report = Report("a load", [*answered, *failed, *slow], begin=1.0, seconds=9.0)
    assert (report.sent, report.answered) == (83, 81)
    assert report.items_a_second == pytest.approx(80 / 9)
    assert report.tokens_a_second == pytest.approx(800 / 9)
    assert report.percentiles()["p99"] == pytest.approx(2.05)
    assert report.percentiles()["p50"] == pytest.approx(0.02)
    assert sum(count for _, count in report.histogram()) == 81
    assert report.histogram()[0][1] == 80 and report.histogram()[-1][1] == 1
    document = json.loads(json.dumps(report.to_json()))
    assert document["errors"] == {"status 500": 2} and document["said"] == {
        "status 500": "it broke"
    }
    text = str(report)
    assert "a load, 9 s" in text and "83 sent" in text and "2 failed" in text
    assert "2 × status 500: it broke" in text and "2,050.0 ms" in text
    assert "█" in text and "late itself" not in text


def test_a_report_of_nothing() -> None:
    report = Report("a load", [], begin=0.0, seconds=1.0)
    assert report.percentiles() == {} and report.histogram() == []
    assert "0 sent" in str(report) and report.to_json()["tokens_per_second"] is None


def test_a_late_generator_says_so() -> None:
    samples = [Sample(0.1, 0.2, 0.3, GOOD)] * 10
    assert "late itself, p99 100.0 ms" in str(Report("a load", samples, begin=0.0, seconds=1.0))
