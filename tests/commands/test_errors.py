"""How the command line ends after errors of the system and of libraries."""

import errno
import logging
import os

import pytest
from PIL import UnidentifiedImageError

from tpld import cli


def said(error: BaseException, monkeypatch, capsys) -> str:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(cli, "begin_process", lambda: None)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UnidentifiedImageError("cannot identify 'a'"), "cannot identify 'a'"),
        (OSError("image file is truncated"), "image file is truncated"),
        (OSError(), "OSError"),
        (OSError(errno.EIO, os.strerror(errno.EIO), "a"), "Input/output error: a"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device (free space)"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a"), "file: a (correct the path)"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "denied: a (see to the right"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a"), "long: a (shorten the name)"),
    ],
)  # fmt: skip
def test_a_remedy_is_that_of_the_error(error, text, monkeypatch, capsys):
    found = said(error, monkeypatch, capsys)
    assert found.startswith("error: ") and text in found
    assert ("free space" in found) == (error.errno == errno.ENOSPC)
