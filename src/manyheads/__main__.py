"""`python -m manyheads` is the same as `manyheads`."""

from __future__ import annotations

from manyheads.cli import main

if __name__ == "__main__":
    main()
