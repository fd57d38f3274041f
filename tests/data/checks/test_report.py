from hypothesis import given
from hypothesis import strategies as st

from manyheads.data import Finding, Histogram, Report, Severity


@given(st.lists(st.integers(0, 5_000), min_size=1))
def test_every_length_is_in_one_bin(lengths):
    histogram = Histogram.of("train", "tokens", lengths)
    for first, last, texts in histogram.bins:
        assert texts == sum(first <= length <= last for length in lengths)
    assert sum(texts for _, _, texts in histogram.bins) == len(lengths)
    assert histogram.longest == max(lengths)
    assert 2 * sum(length <= histogram.median for length in lengths) >= len(lengths)
    assert histogram.median <= histogram.percentile_95 <= histogram.longest


def test_the_histogram_in_a_terminal():
    histogram = Histogram.of("train", "characters", [0, 5, 6, 7, 1_000])
    assert histogram.text().splitlines() == [
        "train: characters per text: median 6, 95 % up to 7, longest 1,000",
        "      0 –     0 █████████████▍                           1",
        "      1 –     1                                          0",
        "      2 –     3                                          0",
        "      4 –     7 ████████████████████████████████████████ 3",
        "      8 –    15                                          0",
        "     16 –    31                                          0",
        "     32 –    63                                          0",
        "     64 –   127                                          0",
        "    128 –   255                                          0",
        "    256 –   511                                          0",
        "    512 – 1,023 █████████████▍                           1",
    ]
    assert histogram.to_json()["bins"][3] == {"from": 4, "to": 7, "texts": 3}


def test_a_finding_in_a_terminal():
    finding = Finding(
        "empty", Severity.WARNING, "1 row", {"train": [3]}, "take it out", ("train: line 3",)
    )
    report = Report("summary", (finding,), ())
    assert report.worst is Severity.WARNING
    assert report.text() == (
        "summary\n\nWARNING empty: 1 row\n        train: line 3\n        → take it out"
    )
    assert report.to_json() == {
        "summary": ["summary"],
        "findings": [
            {
                "kind": "empty",
                "severity": "warning",
                "message": "1 row",
                "rows": {"train": [3]},
                "remedy": "take it out",
            }
        ],
        "lengths": [],
    }
