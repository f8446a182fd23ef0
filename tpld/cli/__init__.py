"""The command line: a subcommand a stage, which rules call and nothing else, and tools for people.

Every command imports what it needs when it runs: ``tpld --help`` must not load torch. `stages`
has those of the pipeline, `tools` and `tools_labels` those for people, `options` what they share.
"""

from __future__ import annotations

import errno
import os
import sys

# Where torch and numba share cores, their waiting pools otherwise fight for them (2x). But threads
# that sleep at once wake late: a training step takes a tenth longer on a virtual machine, at worst
# four fifths (`benchmarks/waiting.py`). So they spin for a moment first (in GNU's OpenMP, which
# torch has on Linux).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "100000")

from tpld.cli import stages, tools, tools_labels
from tpld.cli.options import app
from tpld.compute.compiler import leave_out_compiler
from tpld.compute.lifetime import ending_well
from tpld.compute.memory import keep_memory
from tpld.errors import TpldError

__all__ = ["app", "begin_process", "main"]
_COMMANDS = (stages, tools, tools_labels)  # importing them has put their commands into `app`


def begin_process() -> None:
    """What a process of our own does before it loads torch: keep memory, leave out the compiler."""
    keep_memory()
    leave_out_compiler()


def main() -> None:
    """Run the command line; errors that a user can mend are printed without a traceback."""
    begin_process()
    try:
        with ending_well():
            app()
    except TpldError as error:
        _fail(str(error))
    except OSError as error:
        _fail(_of_system(error))
    except MemoryError as error:
        _fail(f"out of memory ({error}). Close other programs, or use smaller images or batches")


_REMEDIES = {
    errno.ENOSPC: "free space",
    errno.EDQUOT: "free space",
    errno.EACCES: "see to the right to read and write it",
    errno.EPERM: "see to the right to read and write it",
    errno.EROFS: "give a path that can be written",
    errno.ENOENT: "correct the path",
    errno.ENOTDIR: "correct the path",
    errno.EISDIR: "give a file",
    errno.EEXIST: "correct the path",
    errno.ENAMETOOLONG: "shorten the name",
}


def _of_system(error: OSError) -> str:
    """The system's own words name the file. An error without a number is a library's (PIL's are)
    and says all itself."""
    if error.errno is None:
        return str(error) or type(error).__name__
    where = f": {error.filename}" if error.filename is not None else ""
    remedy = _REMEDIES.get(error.errno)
    return f"{error.strerror or error}{where}" + (f" ({remedy})" if remedy else "")


def _fail(message: str) -> None:
    import logging

    if logging.getLogger().handlers:
        logging.getLogger("tpld").error("error: %s", message)
    else:
        sys.stderr.write(f"error: {message}\n")
    raise SystemExit(1)
