"""What vectors say of a collection of texts: which say the same, and what all of them are about.

texts ─ embedder ─→ vectors ─┬─ near pairs ─→ duplicates: groups
                             └─ clusters ──→ topics: words, examples, outliers, a map
"""

from __future__ import annotations

from manyheads.similar.duplicate import Duplicates, duplicates
from manyheads.similar.finding import topics
from manyheads.similar.topic import Topic, Topics

__all__ = ["Duplicates", "Topic", "Topics", "duplicates", "topics"]
