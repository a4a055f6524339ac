"""What numbers were made with, as stored beside them."""

import platform
import time

import torch


def environment() -> dict[str, str | int]:
    """Versions, processor, threads and date."""
    return dict(
        python=platform.python_version(), torch=torch.__version__, processor=platform.processor() or 'CPU',
        threads=torch.get_num_threads(), date=time.strftime('%Y-%m-%d'))
