"""Labelled, parallel and plain text, and images: read it, split it, check it, batch it.

    data = read("reviews.csv", text="review", label="rating")     # splits, and says what it found
    print(data.summary())
    print(check(data).text())                                     # what to mend before training
    data = read(("train.en", "train.de"), test=("test.en", "test.de"))     # roles text and target
    data = read("memory.tmx", text="en", target="de")
    data = read_images("photos")                                  # one sub-folder for each class

``read`` takes files (CSV, TSV, JSON Lines, Parquet, plain text, TMX, gettext, gzipped or not),
pairs of files aligned line by line, folders and dataframes; ``read_table`` gives a single table
with all its columns.
"""

from manyheads.data.batch import shuffled_batches, token_budget_batches
from manyheads.data.checks.check import check
from manyheads.data.checks.report import Finding, Histogram, Report, Severity
from manyheads.data.dataset import Dataset, Split
from manyheads.data.formats.tables import read_table
from manyheads.data.heads import read_heads
from manyheads.data.images import holds_images, read_images
from manyheads.data.joined import joined
from manyheads.data.reader import read
from manyheads.data.roles import usual_pair
from manyheads.data.table import Table

__all__ = [
    "Dataset",
    "Finding",
    "Histogram",
    "Report",
    "Severity",
    "Split",
    "Table",
    "check",
    "holds_images",
    "joined",
    "read",
    "read_heads",
    "read_images",
    "read_table",
    "shuffled_batches",
    "token_budget_batches",
    "usual_pair",
]
