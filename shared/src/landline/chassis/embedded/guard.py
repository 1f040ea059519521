"""Run one command that dies with its starter, under an identity it may run as.

    python -I -S guard.py DEATH_SIGNAL STARTER_PID IDENTITY FOLDER COMMAND [ARGUMENT ...]

IDENTITY is `same`, `userns` (root seen as uid 65534 inside a user namespace; files stay root's) or
`UID:GID`. FOLDER becomes the working directory after the identity is taken on, so a folder that the
identity cannot enter is found out here.

A separate small program and not `preexec_fn`: that one forks Python inside whatever threads the starter
has, which Python 3.12 and later rightly warns about.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000


def _enter_user_namespace(libc: ctypes.CDLL) -> None:
    if libc.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", "65534 0 1"), ("gid_map", "65534 0 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _become(libc: ctypes.CDLL, identity: str) -> None:
    if identity == "userns":
        _enter_user_namespace(libc)
    elif identity != "same":
        uid, gid = (int(part) for part in identity.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def main(arguments: list[str]) -> None:
    """Take on the identity, arm the death signal, become the command. Never returns."""
    signal_number, starter, identity, folder, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    _become(libc, identity)
    # After the identity: the kernel clears the death signal when credentials change.
    libc.prctl(_PR_SET_PDEATHSIG, int(signal_number))
    if os.getppid() != int(starter):  # it died before we armed
        sys.exit(1)
    os.chdir(folder)
    os.execv(command[0], command)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"guard: {error}")
