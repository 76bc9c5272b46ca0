"""`instructglm`: the commands, and what becomes of everything that goes wrong in them.

Exit codes: 0 done, 1 a check said no, 2 a mistake the user can mend or Ctrl-C,
128 + n ended by signal n (143 for SIGTERM). Any other exception is a bug of
ours and keeps its traceback.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from instructglm.cli import annotate, chat, config, data, env, estimate, init, run
from instructglm.cli.streams import drop_output, is_full, open_closed_streams
from instructglm.core.advice import drop_advice
from instructglm.core.errors import InstructGLMError, Terminated

_TRAIN = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "scipy",
    "sacrebleu",
    "rouge_score",
    "gguf",
    "safetensors",
)
_ANNOTATE = ("sqlalchemy", "alembic", "argon2", "fastapi", "uvicorn")
_EXTRAS = {**dict.fromkeys(_TRAIN, "train"), **dict.fromkeys(_ANNOTATE, "annotate")}
"""Package -> the extra that brings it."""
_GO_ON = "what is finished stays. Run the same command again to go on from there."
_CLOSED_PIPE = 141  # what a shell shows for a program that SIGPIPE ended


class Door(TyperGroup):
    """Everything that leaves a command passes here."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InstructGLMError as error:
            _refuse(f"Error: {error}")
        except ModuleNotFoundError as error:
            if error.name not in _EXTRAS:
                raise
            _refuse(
                f"Error: this command needs {error.name}, which is not installed.",
                f"Run: pip install 'instructglm[{_EXTRAS[error.name]}]'",
            )
        except BrokenPipeError as error:
            raise typer.Exit(_CLOSED_PIPE) from error
        except OSError as error:
            if error.filename is None:
                raise
            _refuse(
                f"Error: {error.filename}: {error.strerror}",
                "See that it is there, that it is what the command expects, and that you may read or write it.",
            )
        except Terminated as ended:
            name = signal.Signals(ended.number).name
            _refuse(f"\nEnded by {name}: {_GO_ON}", code=128 + ended.number)
        except KeyboardInterrupt:
            _refuse(f"\nInterrupted: {_GO_ON}")


def _refuse(*lines: str, code: int = 2) -> NoReturn:
    print(*lines, sep="\n", file=sys.stderr, flush=True)
    raise typer.Exit(code)


app = typer.Typer(
    cls=Door,
    help="Instruction tuning for ChatGLM-6B and the GLM family: annotate, train, and know whether it helped.",
    epilog="Start with: instructglm init my-project",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS: tuple[Callable[..., None], ...] = (
    init.init, estimate.estimate, run.run, run.train, run.evaluate, run.compare, run.report, chat.chat, env.env,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)
app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")
app.add_typer(annotate.app, name="annotate")


def main() -> None:
    """The console script."""
    drop_advice()
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal without our characters
    _heed(signal.SIGTERM, signal.SIGHUP)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone (`| head`): there is nobody to tell
        drop_output()
        sys.exit(_CLOSED_PIPE)
    except OSError as error:
        if not is_full(error):
            raise
        drop_output()
        with suppress(OSError):  # it may be standard error that is full
            print(f"Error: standard output: cannot write: {error.strerror}", file=sys.stderr, flush=True)
        sys.exit(2)


def _heed(*signals: signal.Signals) -> None:
    """Let what asks this process to end be told and tidied up after; what is ignored (`nohup`) stays ignored."""
    for number in signals:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated(number)


if __name__ == "__main__":
    main()
