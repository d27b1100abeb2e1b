"""Parts of a Markdown page that programs write, each between two marks of its own."""

from __future__ import annotations

import platform
from pathlib import Path

__all__ = ["processor", "write_part"]


def write_part(path: Path, name: str, text: str) -> None:
    """Put ``text`` between the marks of part ``name``; page and marks are made where missing."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = path.read_text(encoding="utf-8") if path.exists() else "# Results\n"
    if begin not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def processor() -> str:
    """Return the name of the processor at hand."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
