"""Event cameras: recordings, windows of them, and their representations as arrays.

This folder needs numpy alone (h5py and hdf5plugin for DSEC's files) and works without the rest of the package.
"""

from .container import Events
from .recordings import open_recording, read_window
from .representations import REPRESENTATIONS, edge_image, histogram, time_surface, voxel_grid

__all__ = [
    'REPRESENTATIONS', 'Events', 'edge_image', 'histogram', 'open_recording', 'read_window', 'time_surface',
    'voxel_grid',
]
