"""Where `make test-all` finds what it needs: its packages, and the helpers of the other tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
PACKAGES = TOP / "target" / "test-all"

os.environ.setdefault("YOLO_CONFIG_DIR", str(PACKAGES / "settings"))
# Behind the installed packages: what both have comes from the environment.
sys.path.append(str(PACKAGES))
sys.path.insert(0, str(TOP / "tests" / "python"))
