"""Put the example files into the pages that show them: what is read is what is tested.  Run it: python scripts/embed.py

A page says ``<!-- file: examples/… -->`` and a code block follows; the block's text is replaced by the file's.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- file: (\S+) -->\n\n```[a-z]+\n).*?(^```$)", re.DOTALL | re.MULTILINE)


def embedded(page: str) -> str:
    """The page's text with every file as it is now."""
    return BLOCK.sub(lambda found: f"{found[1]}{(ROOT / found[2]).read_text(encoding='utf-8')}{found[3]}", page)


def main() -> None:
    """Rewrite the pages that differ."""
    for page in sorted(ROOT.glob("docs/**/*.md")):
        text = page.read_text(encoding="utf-8")
        if embedded(text) != text:
            page.write_text(embedded(text), encoding="utf-8")
            sys.stdout.write(f"wrote {page.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
