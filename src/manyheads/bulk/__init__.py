"""Vectors of very many texts into one file, however often the process is stopped in between.

    texts ─ shards ─→ encoder ─→ shard files in a work folder ─→ vectors.npy or vectors.parquet

A shard is a file that is whole or not there, so that whoever goes on makes those alone that are
missing. Nothing but one shard is ever in memory, besides the texts.
"""

from __future__ import annotations

from manyheads.bulk.encode import Encoded, encode
from manyheads.bulk.encoders import Encoder, LocalEncoder, ServiceEncoder
from manyheads.bulk.outputs import NpyFile, Output, ParquetFile
from manyheads.bulk.work import work_folder

__all__ = [
    "Encoded",
    "Encoder",
    "LocalEncoder",
    "NpyFile",
    "Output",
    "ParquetFile",
    "ServiceEncoder",
    "encode",
    "work_folder",
]
