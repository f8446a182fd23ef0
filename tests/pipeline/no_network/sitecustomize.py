"""Python imports this by itself where its folder is on the path: no process reaches a network.

Attempts fail as they do on a machine without one, and are noted in ``$TPLD_NETWORK_LOG``.
"""

import os
import socket
import sys

_INTERNET = (socket.AF_INET, socket.AF_INET6)


def _refuse(what: object) -> None:
    with open(os.environ["TPLD_NETWORK_LOG"], "a", encoding="utf-8") as log:  # noqa: PTH123
        log.write(f"{sys.argv[:3]} {what}\n")
    raise OSError(101, f"Network is unreachable (a test's guard): {what}")


class _Guarded(socket.socket):
    def connect(self, address):
        if self.family in _INTERNET:
            _refuse(address)
        return super().connect(address)

    def connect_ex(self, address):
        if self.family in _INTERNET:
            _refuse(address)
        return super().connect_ex(address)

    def sendto(self, *arguments):
        if self.family in _INTERNET:
            _refuse(arguments[-1])
        return super().sendto(*arguments)


def _lookup(host, *_, **__):
    _refuse(host)


if "TPLD_NETWORK_LOG" in os.environ:
    socket.socket = _Guarded
    socket.getaddrinfo = socket.gethostbyname = _lookup
