"""Scripts that put no spaces between words."""

from __future__ import annotations

# Han, Kana, Thai, Lao, Myanmar, Khmer; for use inside of the brackets of a pattern.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003134f"
)
# The languages that are mostly written in them.
UNSPACED_LANGUAGES = frozenset({"ja", "km", "lo", "my", "th", "yue", "zh"})


def is_unspaced_language(code: str) -> bool:
    """Return whether a language, such as ``zh`` or ``zh-TW``, writes its words without spaces."""
    return code.lower().replace("_", "-").partition("-")[0] in UNSPACED_LANGUAGES
