"""The command line: `hwnas`."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line and exits: 0 done, 1 the verdict is negative, 2 the input is wrong, 3 the device failed, 130 interrupted.

    Errors meant for the user are one line on standard error.
    """
    from device_profiles.errors import HwnasError
    from hwnas.cli.app import app

    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:  # the command-line library turns ctrl-c into this
            raise KeyboardInterrupt
    except HwnasError as error:
        code = _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = _fail("interrupted; nothing finished is lost: the same command (with --resume where it has one) goes on", _INTERRUPTED)
    except BrokenPipeError:
        code = 0  # the reader of a pipe, such as `head`, has seen enough
    except Exception as error:
        # Wrong options and arguments are raised by the command-line library with a message for the user and an exit code of 2.
        if not hasattr(error, "format_message"):
            raise
        code = _fail(f"{error.format_message()} (see hwnas --help)", getattr(error, "exit_code", 2))
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    print(f"hwnas: {' '.join(message.split())}", file=sys.stderr)
    return code
