"""How much memory there is, where the system says it, and what the processor can do."""

from __future__ import annotations

from pathlib import Path

_GROUPS = (  # limit and use of the control group that a container gives its processes
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
_CACHE = {"inactive_file", "total_inactive_file"}  # of files, given back where memory is wanted


def multiplies_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; others emulate it, slower than float32."""
    import torch  # only here: memory is also asked for by a process that does without

    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def resident(pid: int | str = "self") -> int | None:
    """Return the bytes that a process holds in memory."""
    return _said(Path(f"/proc/{pid}/status"), "VmRSS:")


def available() -> int | None:
    """Return the bytes that processes can still have: of the machine, or of their container."""
    free = _said(Path("/proc/meminfo"), "MemAvailable:")
    room = [one for one in (_room(*group) for group in _GROUPS) if one is not None]
    return min([*room, *([] if free is None else [free])], default=None)


def _room(limit: Path, used: Path) -> int | None:
    """Return what a control group leaves, if it has a limit."""
    try:
        most, now = limit.read_text().strip(), int(used.read_text())
        statistics = (limit.parent / "memory.stat").read_text().split()
    except (OSError, ValueError):
        return None
    if not most.isdigit():  # "max": none
        return None
    pairs = zip(statistics[::2], statistics[1::2], strict=False)
    cache = max((int(value) for name, value in pairs if name in _CACHE), default=0)
    return max(0, int(most) - now + cache)


def _said(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith(name)), None)
    return None if found is None else int(found) * 1024
