"""``python -m mmdass`` is the ``mmdass`` command."""

import sys

from mmdass.cli import main

sys.exit(main())
