# MADM on the toy world: RGB -> events, small, on two CPU cores.

_base_ = [
    '../_base_/datasets/toy_event.py',
    '../_base_/schedules/toy.py',
    '../_base_/default_runtime.py',
    '../_base_/models/madm_toy.py',
]

model = dict(
    pseudo_labeler=dict(start_timestep=(50, 51), end_iteration=240),  # over the same share of the training as event.py
    latent_palette_head=dict(source_weight=20.0, mix_weight=0.0))  # as in event.py
default_hooks = dict(checkpoint=dict(interval=150))
