"""Secrets as files: `LANDLINE_<NAME>_FILE` names a file whose content is the value of `LANDLINE_<NAME>`.

Container engines and systemd hand out secrets as files: an environment shows in `inspect`, in crash reports
and in every child process. One trailing newline is not part of the secret, as every editor adds one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

PREFIX = "LANDLINE_"


class BadSecretFile(ValueError):
    """A variable names a file that can't be read, or says the same thing twice; the message names it."""


def secret(name: str, env: Mapping[str, str] = os.environ) -> str | None:
    """`LANDLINE_<name>`, from the environment or from the file that `LANDLINE_<name>_FILE` names.

    None when neither is set. Raises BadSecretFile: when both are, or when the file can't be read.
    """
    variable = f"{PREFIX}{name.upper()}"
    value, path = env.get(variable), env.get(f"{variable}_FILE")
    if not path:
        return value
    if value:
        raise BadSecretFile(f"{variable} and {variable}_FILE are both set: which one counts?")
    try:
        return Path(path).read_text("utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise BadSecretFile(f"{variable}_FILE: {path}: {reason}") from None


class SecretFiles(PydanticBaseSettingsSource):
    """A source for `Settings`: every field may come from a file."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Asked by pydantic-settings' own sources only."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The fields whose `_FILE` variable is set."""
        named = [
            name for name in self.settings_cls.model_fields if os.environ.get(f"{PREFIX}{name.upper()}_FILE")
        ]
        return {name: secret(name) for name in named}
