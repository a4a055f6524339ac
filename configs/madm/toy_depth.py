# MADM on the toy world: RGB -> depth, small, on two CPU cores.

_base_ = [
    '../_base_/datasets/toy_depth.py',
    '../_base_/schedules/toy.py',
    '../_base_/default_runtime.py',
    '../_base_/models/madm_toy.py',
]

model = dict(
    pseudo_labeler=dict(start_timestep=(60, 61), end_iteration=150),  # over the same share of the training as depth.py
    latent_palette_head=dict(source_weight=1.0, mix_weight=1.0))  # as in depth.py
default_hooks = dict(checkpoint=dict(interval=150))
