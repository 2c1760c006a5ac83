"""``windtunnel convert``: a history in another format, so that other checkers can judge it too."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape

from history import formats
from history.errors import HistoryWarning, StoreError
from history.store import open_run
from windtunnel.names import BadInputError, find

Source = Annotated[Path, typer.Argument(help="A run directory, or a history in any known format.")]
Format = Annotated[str, typer.Option("--to", help=f"One of {', '.join(formats.FORMATS)}.")]
Out = Annotated[Path, typer.Option(help="Where to write.", show_default=False)]


def convert(history: Source, out: Out, to: Format = "jepsen-edn") -> None:
    """Write a history in another format: Jepsen's, Knossos's, Porcupine's, or our own."""
    find("format", to, dict.fromkeys(formats.FORMATS))
    path = open_run(history).history_path if history.is_dir() else history
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HistoryWarning)
        read = formats.read(path)
    for warning in caught:
        Console(stderr=True).print(f"warning: {escape(str(warning.message))}", soft_wrap=True)
    try:
        formats.write(read, out, format=cast(formats.Format, to))
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror}") from None
    except ValueError as error:
        raise BadInputError(f"{path} cannot be written as {to}: {error}") from None
    Console().print(escape(str(out)), highlight=False, soft_wrap=True)
