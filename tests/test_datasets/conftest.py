"""Makes `trees`, the fixture files that these tests write, importable; pytest imports tests by path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
