"""Chinese names of persons, places and organisations over characters, learnt from scratch.

    python recipes/chinese_names.py DATA msra       (DATA holds msra-ner/)
    python recipes/chinese_names.py DATA people     (DATA holds peoples-daily-ner/)
    python recipes/chinese_names.py DATA cluener    (DATA holds cluener/; ten types)

Nothing is known before: no pretrained characters, no word list. On MSRA a Lattice LSTM with
pretrained characters and words reaches F1 0.932 (Zhang & Yang 2018); on CLUENER's hidden test set
a BiLSTM-CRF 0.700 and BERT-base 0.788 (Xu et al. 2020); ours is scored on the development set.
"""

from __future__ import annotations

import sys
from pathlib import Path

from judged import run

import manyheads as mh

MODEL = mh.Scratch(layers=4, width=256, heads=4, max_tokens=256, tokenizer=mh.Characters())
RECIPE = mh.Recipe(
    learning_rate=1e-3,
    schedule="cosine",
    warmup=0.1,
    batch_size=32,
    max_tokens=256,
    weight_decay=0.05,
    dropout=0.2,
    token_dropout=0.1,
    average=0.998,
)
FOLDERS = {"msra": "msra-ner", "people": "peoples-daily-ner", "cluener": "cluener"}
EPOCHS = {"msra": 5, "people": 6, "cluener": 12}
HELD_OUT = {"msra": "test", "people": "test", "cluener": "valid"}


def main(data: Path, name: str) -> None:
    """Train, keep the epoch that validates best, and score the split that is scored elsewhere."""
    folder = data / FOLDERS[name]
    files = {"train": folder / "train.jsonl.gz", "test": folder / f"{HELD_OUT[name]}.jsonl.gz"}
    if name == "people":
        files["valid"] = folder / "valid.jsonl.gz"
    dataset = mh.read(files, text="text", label="ner_tags", valid=0.03)
    run(MODEL, mh.Tagging(), dataset, RECIPE.with_settings([f"epochs={EPOCHS[name]}"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
