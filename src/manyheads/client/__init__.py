"""Ask a service over HTTP: texts out, vectors and labels back, on a machine without any model.

    client = mh.Client("http://localhost:8000")
    vectors = client.embed(["A cat sat on the mat.", "There is a kitten on the rug."])

`AsyncClient` is the same for programs with an event loop. Nothing here knows of models, of torch or
of the service itself: what they share is a wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyheads._lazy import lazy

if TYPE_CHECKING:
    from manyheads.client.asynchronous import AsyncClient
    from manyheads.client.embeddings import Embeddings
    from manyheads.client.search import Search
    from manyheads.client.synchronous import Client
    from manyheads.client.wire import Truncate

__getattr__, __dir__ = lazy(
    __name__,
    {
        "manyheads.client.asynchronous": ("AsyncClient",),
        "manyheads.client.embeddings": ("Embeddings",),
        "manyheads.client.search": ("Search",),
        "manyheads.client.synchronous": ("Client",),
        "manyheads.client.wire": ("Truncate",),
    },
)
__all__ = ["AsyncClient", "Client", "Embeddings", "Search", "Truncate"]
