"""What a training writes beside its checkpoint: a log with a line per epoch, and the checkpoints of the last epochs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from device_profiles.errors import InputError
from hwnas.supernet import checkpoint

#: The log in a training's folder: one JSON object per epoch.
LOG = "train.jsonl"
#: The folder in a training's folder with the checkpoints of the last epochs.
EPOCHS = "epochs"
#: The folder in a training's folder with the events that TensorBoard shows.
EVENTS = "tensorboard"


def reset_log(folder: Path, epochs: int) -> None:
    """Keeps the log's lines of the epochs in the checkpoint: a kill may have come between a checkpoint and its line, or within a line."""
    path = folder / LOG
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            if json.loads(line)["epoch"] <= epochs:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue  # the line at which the earlier process died
    checkpoint.write_atomically(path, "".join(kept).encode())


def log(folder: Path, line: dict[str, float]) -> None:
    """Appends a line. Raises InputError when it cannot be written."""
    try:
        with open(folder / LOG, "a") as stream:
            stream.write(json.dumps(line, sort_keys=True) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {folder / LOG}: {error.strerror or error}") from error


@contextlib.contextmanager
def board(folder: Path | None, epochs: int) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Yields what shows a line of the log in TensorBoard too; events after the first `epochs` epochs are taken back. None: it does nothing.

    Raises InputError when TensorBoard is not installed.
    """
    if folder is None:
        yield lambda _line: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("TensorBoard is not installed: pip install 'hwnas[tensorboard]', or train without it") from error
    with SummaryWriter(str(folder / EVENTS), purge_step=epochs + 1) as writer:

        def show(line: Mapping[str, float]) -> None:
            """One epoch."""
            for name, value in line.items():
                writer.add_scalar(name, value, int(line["epoch"]))
            writer.flush()

        yield show


def keep_epoch(folder: Path, epoch: int, number: int) -> None:
    """Keeps the present checkpoint as that of `epoch`, and no more than the last `number` of them.

    Raises InputError when it cannot be written.
    """
    kept = folder / EPOCHS
    try:
        if number:
            kept.mkdir(exist_ok=True)
            copy = kept / f"{epoch:06d}.safetensors"
            copy.unlink(missing_ok=True)
            try:
                os.link(folder / checkpoint.FILE, copy)  # the checkpoint is replaced, never changed, so a second name is a copy
            except OSError:  # a file system without links
                shutil.copyfile(folder / checkpoint.FILE, copy)
        for old in epoch_checkpoints(folder)[: -number or None]:
            old.unlink()
        with contextlib.suppress(OSError):
            kept.rmdir()  # when nothing is kept
    except OSError as error:
        raise InputError(f"cannot write {kept}: {error.strerror or error}") from error


def epoch_checkpoints(folder: Path) -> list[Path]:
    """The kept checkpoints of a training's last epochs, in order."""
    return sorted((folder / EPOCHS).glob("*.safetensors"))
