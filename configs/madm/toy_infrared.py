# MADM on the toy world: RGB -> infrared, small, on two CPU cores. `make demo` runs it.

_base_ = [
    '../_base_/datasets/toy_infrared.py',
    '../_base_/schedules/toy.py',
    '../_base_/default_runtime.py',
    '../_base_/models/madm_toy.py',
]

max_iters = 600  # twice schedules/toy.py's

model = dict(
    pseudo_labeler=dict(start_timestep=(50, 51), end_iteration=480),  # the same share of the training as infrared.py
    latent_palette_head=dict(source_weight=1.0, mix_weight=1.0))  # as in infrared.py
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=30, by_epoch=False),
    dict(type='PolyLR', eta_min=1e-5, power=0.9, begin=30, end=max_iters, by_epoch=False),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 2)
default_hooks = dict(checkpoint=dict(interval=max_iters // 2))
