"""Domain-adaptive semantic segmentation on MMSegmentation. Importing it prepares the OpenMMLab packages for use.

The order matters: the family check reads metadata before a broken package can be imported, and the shims run before
mmseg is imported and before a config is read.
"""

from .family import check_family
from .version import __version__

check_family()

from .utils import compat  # noqa: E402

compat.apply()

from . import checkpoints, registry  # noqa: E402, F401

__all__ = ['__version__']
