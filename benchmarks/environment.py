"""What numbers were made with, as stored beside them: the same as by `mmdass benchmark`."""

from mmdass.benchmarks.result import environment

__all__ = ['environment']
