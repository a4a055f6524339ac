"""Domain-adaptive semantic segmentation on MMSegmentation. Importing it prepares the OpenMMLab packages for use.

The order matters: the family check reads metadata before a broken package can be imported, and the shims run before
mmseg is imported and before a config is read.
"""

from . import doctor
from .family import check_family
from .version import __version__

if not doctor.is_running():  # it examines environments in which the rest of this would fail
    check_family()

    from .utils import compat

    compat.apply()

    from . import checkpoints, registry  # noqa: F401

__all__ = ['__version__']
