"""The server of `tpld view`, on loopback."""

from __future__ import annotations

import socket
import webbrowser
from pathlib import Path

from tpld.errors import TpldError
from tpld.viewer.app import Viewer, make_app

HOST = "127.0.0.1"
PORT = 8642


def serve(folder: Path, config: Path | None, port: int | None, browser: bool) -> None:
    """Serve the viewer until Ctrl+C.

    Args:
        folder: ``results/<experiment>``.
        config: configuration file; None: the one that Snakemake kept.
        port: of the address; None: 8642, or a free one where that is taken.
        browser: open the page in the user's browser.

    Raises:
        TpldError: nothing to show, or the port is taken.
    """
    import uvicorn
    from rich.console import Console

    viewer = Viewer(folder, config)
    listening = _listen(port)
    address = f"http://{HOST}:{listening.getsockname()[1]}/"
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold]{viewer.catalogue.name}[/bold]: {address}   (Ctrl+C ends)")
    if browser:
        webbrowser.open(address)
    settings = uvicorn.Config(
        make_app(viewer), log_level="warning", access_log=False, lifespan="on",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    uvicorn.Server(settings).run(sockets=[listening])


def _listen(port: int | None) -> socket.socket:
    """A socket on loopback: on the wanted port, else on the usual or any free one."""
    problem = ""
    for candidate in [port] if port is not None else [PORT, 0]:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, candidate))
        except OSError as error:
            listening.close()
            problem = str(error.strerror)
            continue
        return listening
    raise TpldError(f"port {port} of {HOST} cannot be used ({problem}). Give another --port")
