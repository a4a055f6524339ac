"""How messages name the process that they come from."""

from mmengine.dist import get_dist_info


def rank_prefix() -> str:
    """'rank 3 of 8: ', or nothing where there is one process."""
    rank, world_size = get_dist_info()
    return f'rank {rank} of {world_size}: ' if world_size > 1 else ''
