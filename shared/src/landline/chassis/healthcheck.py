"""`python -m landline.chassis.healthcheck`: is the process in this container well?

Asks `/readyz` (LANDLINE_HEALTH_PATH: another page) of LANDLINE_CONSUME_PORT, else of LANDLINE_PORT.
Exit code 1 and what is missing when the answer is not 200. Standard library only: it runs every few seconds.
"""

from __future__ import annotations

import http.client
import os
import sys

PATIENCE_S = 4.0


def main() -> int:
    """Ask once."""
    port = int(os.environ.get("LANDLINE_CONSUME_PORT") or os.environ.get("LANDLINE_PORT") or 8080)
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        asked.request("GET", os.environ.get("LANDLINE_HEALTH_PATH", "/readyz"))
        answer = asked.getresponse()
        said = answer.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"port {port}: {error!r}\n")
        return 1
    sys.stdout.write(f"{said}\n")
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
