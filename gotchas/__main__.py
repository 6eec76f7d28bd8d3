"""`python -m gotchas [NAME]`: show a handler that breaks on replay, beside one that doesn't.

With `--html FILE`, as a page; `--site DIR` writes the pages of all of them, and an index.
"""

from __future__ import annotations

import logging
from pathlib import Path

import click
from rich.console import Console

from gotchas import GOTCHAS
from gotchas.viewer import lesson, site, terminal

_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
_FOLDER = click.Path(file_okay=False, writable=True, path_type=Path)


@click.command()
@click.argument("name", required=False)
@click.option("--html", "file", type=_FILE, metavar="FILE", help="Write its page into FILE.")
@click.option("--site", "folder", type=_FOLDER, metavar="DIR", help="Write all pages into DIR.")
def main(name: str | None, file: Path | None, folder: Path | None) -> None:
    """Show the gotcha NAME: both handlers, and how each runs. Without NAME, list all gotchas."""
    logging.disable(logging.CRITICAL)  # the SDK logs the failures of the broken handlers
    console = Console()
    if name is not None and name not in GOTCHAS:
        raise click.UsageError(f"there is no gotcha {name!r}; there are: {', '.join(GOTCHAS)}")
    if file is not None and name is None:
        raise click.UsageError("--html needs a NAME; --site DIR writes the pages of all gotchas")
    if file is not None and not file.absolute().parent.is_dir():
        raise click.UsageError(f"--html: there is no directory {file.parent}")
    if folder is not None:
        site.write(folder)
        console.print(f"The pages are in {folder / site.INDEX}.", soft_wrap=True)
    elif name is None:
        terminal.show_all(lesson.titles(), console)
    elif file is not None:
        file.write_text(site.page(name), encoding="utf-8")
        console.print(f"The page is in {file}.", soft_wrap=True)
    else:
        terminal.show(lesson.lesson(name), console)


if __name__ == "__main__":
    main(prog_name="python -m gotchas")
