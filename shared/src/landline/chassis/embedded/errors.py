"""Why an embedded run cannot start, said in one sentence a person can act on."""

from __future__ import annotations


class CannotStart(Exception):
    """The run is refused or given up; the message is shown as it is, without a traceback.

    `exit_code` 2: the caller can mend it (port, folder, options). 1: something of ours failed.
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interrupted(Exception):
    """A stop was asked for while something was still starting."""
