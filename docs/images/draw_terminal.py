"""Draw what a terminal printed: `COMMAND | python docs/images/draw_terminal.py TITLE > docs/images/NAME.svg`."""

from __future__ import annotations

import io
import re
import sys

from rich.console import Console
from rich.text import Text


def draw(text: str, title: str) -> str:
    """The text as an SVG of a terminal window, as wide as its longest line."""
    lines = text.rstrip("\n").split("\n")
    width = max(len(line) for line in lines) + 1
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    for line in lines:
        style = "bold green" if line.startswith("$ ") else "bold" if line.startswith("NAME ") else ""
        console.print(Text(line, style=style), soft_wrap=True)
    # The font would be fetched from a stranger's server by whoever looks at the picture.
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=title), flags=re.DOTALL)


if __name__ == "__main__":
    sys.stdout.write(draw(sys.stdin.read(), sys.argv[1]))
