"""Headers of a new task: `python mint.py KEY-FILE WORKLOAD`, the user's request on stdin.

What `interlock task begin` prints, without that command's start, which a run would wait for 760 times.
"""

import json
import secrets
import sys
import time
from pathlib import Path

from interlock.identity.tasks import mint

HOUR_US = 3_600 * 1_000_000


def main() -> None:
    """Print a JSON object of headers."""
    key, request = Path(sys.argv[1]).read_bytes(), sys.stdin.buffer.read().decode()
    token = mint(key, sys.argv[2], request.strip(), time.time_ns() // 1000, HOUR_US, secrets.token_bytes)
    print(json.dumps({"Authorization": f"Bearer {token}"}))


if __name__ == "__main__":
    main()
