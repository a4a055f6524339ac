"""Reading, writing and converting checkpoints. Importing it installs the safe loader and the atomic backend."""

from .loader import CheckpointError, load_checkpoint_file
from .saver import AtomicLocalBackend, replace_atomically

__all__ = ['AtomicLocalBackend', 'CheckpointError', 'load_checkpoint_file', 'replace_atomically']
