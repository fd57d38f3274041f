"""Texts to ask a service with: of many lengths, in English and Chinese, or the lines of a file."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from manyheads.errors import DataError

_SENTENCES = (1, 1, 2, 4, 8)  # in a text: most are short, and most tokens are in long ones

_ENGLISH = (
    "Opening hours?",
    "The kettle was on before anybody else in the house had opened an eye.",
    "How do I change the address on my account?",
    "Two boats lay on the sand, one of them without a mast.",
    "Delivery took nine days, the box was wet, and one of the four cups had lost its handle.",
    "Nobody answers the phone.",
    "She had read the letter so often that the folds had begun to tear.",
    "Please send me the invoice for March again, this time with our tax number on it.",
    "A good knife, well balanced, and sharp even after a year of daily use.",
    "The committee will meet on Thursday to decide whether the old bridge can still be saved.",
    "It rained.",
    "In the north of the island the roads end, and whoever wants to go on has to walk, for two "
    "days or three, depending on the wind and on how much there is to carry.",
    "My password does not work any more since the update last night.",
    "Half of the seeds came up, which is more than the packet promised.",
    "Turn left at the bakery and follow the river until you see a yellow gate.",
    "Best soup in town!",
    "The experiment was repeated with eleven samples from three laboratories, and in none of them "
    "did the temperature rise by more than half a degree.",
    "I would not buy it again.",
    "Before the library closed for the night he put the book back where he had found it.",
    "Where is my parcel?",
)
_CHINESE = (
    "几点开门？",
    "他们沿着河边走了很久，直到看见对岸的灯光才停下来。",
    "物流太慢，等了九天才到，箱子还是湿的。",
    "请把三月份的发票再发一次，这次写上我们的税号。",
    "味道不错。",
    "昨晚更新以后，我的密码就不能用了，换了一台电脑也还是一样。",
    "委员会将在星期四开会，讨论这座老桥是否还值得保留。",
    "这本书我已经读了三遍，每一遍都有新的体会，推荐给所有喜欢历史的朋友。",
    "电话没有人接。",
    "实验用来自三个实验室的十一份样品重复进行，没有一份的温度升高超过半度。",
    "房间很安静，早餐品种不多，但是服务员非常热情，下次还会再来。",
    "我的包裹在哪里？",
)


def built_in() -> list[str]:
    """Return the texts that come with the package, of 2 to about 200 tokens."""
    return [
        text
        for sentences, space in ((_ENGLISH, " "), (_CHINESE, ""))
        for count in _SENTENCES
        for text in _runs(sentences, count, space)
    ]


def from_file(path: Path) -> list[str]:
    """Return the lines of a file that are not empty; raises `DataError` where there are none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as lines of text ({error})") from error
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise DataError(f"{path} has no text; write one in each line")
    return texts


def shuffled(texts: Sequence[str], seed: int) -> Iterator[str]:
    """Return texts without end: all of them in an order drawn from the seed, then in another."""
    chance = random.Random(seed)
    order = list(texts)
    while True:
        chance.shuffle(order)
        yield from order


def _runs(sentences: Sequence[str], count: int, space: str) -> Iterator[str]:
    """Return so many sentences in a row, beginning with each of them."""
    for start in range(len(sentences)):
        yield space.join(sentences[(start + i) % len(sentences)] for i in range(count))
