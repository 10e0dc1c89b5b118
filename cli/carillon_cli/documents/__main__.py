"""`python -m carillon_cli.documents docs/api` writes them all."""

import sys
from pathlib import Path

from carillon_cli.documents import documents


def main(folder: Path) -> None:
    """Write every document, and remove those that are no longer made."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = documents()
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


main(Path(sys.argv[1]))
