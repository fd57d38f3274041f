import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.formats.delimited import infer, parse_delimited
from manyheads.errors import DataError


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_even_if_texts_hold_others(delimiter):
    table = io.StringIO()
    writer = csv.writer(table, delimiter=delimiter)
    writer.writerow(["text", "label"])
    writer.writerows([["one, two; three | four", "a"], ["five", "b"], ["", "c"]])
    parsed = parse_delimited(table.getvalue(), "x.csv")
    assert parsed.delimiter == delimiter
    assert parsed.columns == {
        "text": ["one, two; three | four", "five", ""],
        "label": ["a", "b", "c"],
    }


def test_a_single_column_has_no_delimiter():
    assert parse_delimited("text\ngood\nbad\n", "x.csv").columns == {"text": ["good", "bad"]}
    parsed = parse_delimited("text\nyes, good\n", "x.tsv", fallback="\t")
    assert parsed.columns == {"text": ["yes, good"]}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_numbers_count_line_breaks_inside_of_quotes_and_blank_lines(newline):
    lines = ["text,label", '"one', 'two",a', "", "three,b", '"four', "", 'five",c', "six,d"]
    parsed = parse_delimited(newline.join(lines), "x.csv")
    assert parsed.lines == [2, 5, 6, 9]
    assert parsed.columns["text"][0] == f"one{newline}two"


@given(
    st.lists(
        st.tuples(st.text(alphabet='ab,;"\n\r\t é', max_size=8), st.sampled_from("xyz")),
        min_size=1,
        max_size=8,
    )
)
def test_what_csv_writes_is_read_back(rows):
    table = io.StringIO()
    csv.writer(table).writerows([("text", "label"), *rows])
    parsed = parse_delimited(table.getvalue(), "x.csv", ",")
    assert list(zip(parsed.columns["text"], parsed.columns["label"], strict=True)) == rows


def test_a_tab_separated_file_without_quoting():
    text = 'text\tlabel\n"The end" of it\t1\n"Open\t0\nclosed"\t1\n'
    parsed = parse_delimited(text, "x.tsv")
    assert parsed.columns["text"] == ['"The end" of it', '"Open', 'closed"']
    assert parsed.lines == [2, 3, 4]
    assert parsed.describe() == "tab-separated, double quotes taken literally"


def test_a_tab_separated_file_with_quoting():
    text = 'text\tlabel\n"She said ""hi"""\t1\n"two\nlines"\t0\n'
    parsed = parse_delimited(text, "x.tsv")
    assert parsed.columns["text"] == ['She said "hi"', "two\nlines"]
    assert parsed.lines == [2, 3]


def test_a_text_of_a_megabyte():
    earlier_limit = csv.field_size_limit()
    parsed = parse_delimited("text,label\n" + "x" * 1_000_000 + ",a\n", "x.csv")
    assert len(parsed.columns["text"][0]) == 1_000_000
    assert csv.field_size_limit() == earlier_limit


@pytest.mark.parametrize("wanted", [(0, 1), (1,), ("0", "1"), ("1",), ("0", "7")])
def test_columns_wanted_by_number_need_no_header(wanted):
    parsed = parse_delimited("yes,0\nno,1\n", "x.csv", wanted=wanted)
    assert parsed.columns == {"0": ["yes", "no"], "1": ["0", "1"]}
    assert parsed.lines == [1, 2]
    assert parsed.describe() == "comma-separated, columns by number"


@pytest.mark.parametrize("wanted", [("0",), ("1", "0"), ("text",), ("0", "text"), ()])
def test_names_that_are_numbers_stay_names(wanted):
    parsed = parse_delimited("1, 0\na,b\n", "x.csv", wanted=wanted)
    assert parsed.columns == {"1": ["a"], "0": ["b"]}
    assert (parsed.lines, parsed.describe()) == ([2], "comma-separated")


def test_columns_by_number_and_by_name():
    with pytest.raises(
        DataError, match=r"x\.csv: columns are given by number and by name \('de'\)"
    ):
        parse_delimited("a,b\n", "x.csv", wanted=(0, "de"))
    with pytest.raises(DataError, match="line 2: 1 fields where the first line has 2"):
        parse_delimited("a,b\nc\n", "x.csv", wanted=(0,))


def test_a_file_of_tabs_is_separated_by_tabs():
    text = "Hello, world, here.\tHallo, Welt, hier.\n" * 3
    assert parse_delimited(text, "x.tsv", fallback="\t").delimiter == "\t"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "text,label\na,b\nc,d,e\n",
            r"x\.csv, line 3: 3 fields where the header has 2; put double",
        ),
        ("text,label\na,b\nc\n", r"x\.csv, line 3: 1 fields where the header has 2"),
        ('text,label\na,b\n"open,c\nd,e\n', r"x\.csv, line 3: bad quoting"),
        ('text,label\n"a"b,c\n', r"x\.csv, line 2: bad quoting"),
        ("text,text\na,b\n", r"x\.csv: two columns are named 'text'"),
        ("\n\n", r"x\.csv: holds no table"),
    ],
)
def test_bad_tables_name_the_line(text, message):
    with pytest.raises(DataError, match=message):
        parse_delimited(text, "x.csv", ",")


def test_the_delimiter_must_be_one_character():
    assert parse_delimited("text\tlabel\na\tb", "x.csv", r"\t").columns["label"] == ["b"]
    with pytest.raises(DataError, match="delimiter '::' must be one character"):
        parse_delimited("a::b", "x.csv", "::")


def test_a_column_without_a_name_gets_its_number():
    assert list(parse_delimited(",text\n0,a\n", "x.csv").columns) == ["column 1", "text"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "0", "-3"], [1, 0, -3]),
        (["1", "", "NaN", "2"], [1, None, None, 2]),
        (["1.5", "2", "1e3", ".5", ""], [1.5, 2.0, 1000.0, 0.5, None]),
        (["true", "False", "TRUE"], [True, False, True]),
        (["001", "002"], ["001", "002"]),
        (["1", "x"], ["1", "x"]),
        (["yes", "None", ""], ["yes", "None", ""]),
        (["", "", "nan"], ["", "", "nan"]),
        (["1,5"], ["1,5"]),
        (["inf", "1.0"], ["inf", "1.0"]),
    ],
)
def test_types_are_inferred_only_where_nothing_is_lost(values, expected):
    inferred = infer(values)
    assert inferred == expected
    assert [type(value) for value in inferred] == [type(value) for value in expected]
