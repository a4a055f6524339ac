"""What a process says when another one of its training has gone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config
from mmengine.dist import is_distributed

from mmdass.utils.ranks import rank_prefix

# Gloo and NCCL raise a RuntimeError; torch has no class for it.
_LOST = re.compile(r'connection (was )?(closed|reset|refused)|timed out|timeout|nccl communicator was aborted', re.I)


@contextmanager
def explain_lost_rank(cfg: Config) -> Iterator[None]:
    """Turn the communication error of a block into a sentence: it is another process that has failed."""
    try:
        yield
    except RuntimeError as error:
        if not is_distributed() or not _LOST.search(str(error)):
            raise
        timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
        waited = f' within {timeout} s (env_cfg.dist_cfg.timeout)' if timeout else ''
        raise RuntimeError(
            f'{rank_prefix()}another process of this training ended, or did not answer{waited}. What was wrong is in '
            'its output; torchrun names the first process that failed. Then continue with --resume.') from error
