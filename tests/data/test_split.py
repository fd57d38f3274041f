from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.split import hold_out, hold_out_together, text_key

rows = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["a", "b", "c"])), min_size=2, max_size=80
)


@given(rows, st.floats(0.0, 0.9), st.integers(0, 5))
def test_equal_keys_stay_together_and_no_class_leaves_train(rows, fraction, seed):
    keys = [key for key, _ in rows]
    labels = [label for _, label in rows]
    count = round(fraction * len(rows))
    stay, held_out = hold_out(keys, labels, count, seed)
    assert sorted(stay + held_out) == list(range(len(rows)))
    assert stay == sorted(stay)
    assert held_out == sorted(held_out)
    assert len(held_out) <= count
    assert not {keys[i] for i in stay} & {keys[i] for i in held_out}
    first_label = dict(reversed(rows))
    assert {first_label[keys[i]] for i in stay} == set(first_label.values())
    assert (stay, held_out) == hold_out(keys, labels, count, seed)


@given(
    st.lists(st.integers(2, 30), min_size=1, max_size=6), st.floats(0.02, 0.5), st.integers(0, 5)
)
def test_every_class_gives_its_share(sizes, fraction, seed):
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    count = round(fraction * len(labels))
    _, held_out = hold_out(range(len(labels)), labels, count, seed)
    assert len(held_out) == count
    given_by = Counter(labels[i] for i in held_out)
    for label, size in enumerate(sizes):
        assert abs(given_by[label] - size * count / len(labels)) < 1


def test_the_seed_matters():
    labels = ["a", "b"] * 50
    assert hold_out(range(100), labels, 20, 0) != hold_out(range(100), labels, 20, 1)


def test_the_choice_is_the_same_on_every_machine():
    assert hold_out(range(10), None, 3, 0)[1] == [2, 5, 9]


def test_numbers_are_held_out_evenly():
    scores = [number / 7 for number in range(200)]
    _, held_out = hold_out(range(200), scores, 20, 0)
    assert Counter(position // 20 for position in held_out) == dict.fromkeys(range(10), 2)


def test_rare_labels_of_lists_are_held_out_too():
    labels = [["common", "rare"] if i % 10 == 0 else ["common"] for i in range(100)]
    _, held_out = hold_out(range(100), labels, 20, 0)
    assert sum("rare" in labels[i] for i in held_out) == 2
    assert hold_out(range(4), [[], [], ["a"], ["a"]], 2, 0)[1]


def test_classes_that_hardly_repeat_stay_too():
    assert hold_out(range(30), [f"c{number}" for number in range(30)], 3, 0)[1] == []
    labels = [f"c{number // 2 if number < 10 else number}" for number in range(30)]
    stay, held_out = hold_out(range(30), labels, 3, 0)
    assert len(held_out) == 3 and {labels[i] for i in stay} == set(labels)


@given(
    st.lists(st.lists(st.sampled_from("abcdefg"), max_size=3), min_size=2, max_size=40),
    st.floats(0.0, 0.9),
)
def test_no_class_of_lists_leaves_train(labels, fraction):
    stay, _ = hold_out(range(len(labels)), labels, round(fraction * len(labels)), 0)
    assert set().union(*(labels[i] for i in stay)) == set().union(*labels)


def test_cells_of_several_classes_are_lists():
    names = "abcdefgh"
    labels = ["|".join((x, y)) for x in names for y in names if x < y]
    stay, held_out = hold_out(range(len(labels)), labels, 3, 0)
    assert len(held_out) == 3
    assert {name for i in stay for name in labels[i].split("|")} == set(names)


def test_integers_that_hardly_repeat_are_numbers():
    _, held_out = hold_out(range(200), range(1000, 3000, 10), 20, 0)
    assert Counter(position // 20 for position in held_out) == dict.fromkeys(range(10), 2)


def test_no_class_of_any_column_leaves_train():
    kinds = ["rare" if i in (3, 7) else "usual" for i in range(60)]
    moods = [None if i % 5 == 0 else "good" if i % 3 else "bad" for i in range(60)]
    scores = [i / 7 for i in range(60)]
    tags = [["x", "seldom"] if i == 9 else ["x"] for i in range(60)]
    for seed in range(20):
        stay, held_out = hold_out_together(range(60), [kinds, moods, scores, tags], 12, seed)
        assert len(held_out) == 12 and 9 in stay and {3, 7} & set(stay)
        given_by = Counter(moods[i] for i in held_out)
        assert 2 <= given_by["bad"] <= 4 and 5 <= given_by["good"] <= 8


def test_tiny_classes_stay():
    assert hold_out(range(1), ["a"], 1, 0) == ([0], [])
    assert hold_out(range(2), ["a", "b"], 1, 0) == ([0, 1], [])
    assert hold_out(["same"] * 5, ["a"] * 5, 2, 0) == ([0, 1, 2, 3, 4], [])


def test_a_text_key_ignores_case_and_white_space():
    assert text_key(" Good\tFILM\n") == text_key("good film")
    assert text_key("Straße") == text_key("STRASSE")
    assert text_key("good film") != text_key("goodfilm")
    assert text_key("a b", "c") != text_key("a", "b c")
    assert text_key("a", "b") != text_key("a b")
