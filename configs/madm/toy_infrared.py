# MADM on the toy world: RGB -> infrared, small, on two CPU cores.

_base_ = [
    '../_base_/datasets/toy_infrared.py',
    '../_base_/schedules/toy.py',
    '../_base_/default_runtime.py',
    '../_base_/models/madm_toy.py',
]

model = dict(
    pseudo_labeler=dict(start_timestep=(50, 51), end_iteration=240),  # over the same share of the training as infrared.py
    latent_palette_head=dict(source_weight=1.0, mix_weight=1.0))  # as in infrared.py
default_hooks = dict(checkpoint=dict(interval=150))
