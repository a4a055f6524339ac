# DAFormer on the toy world: RGB -> events, small, on two CPU cores. Without rare-class sampling, which counts files.
_base_ = [
    '../_base_/datasets/toy_event.py',
    '../_base_/schedules/toy.py',
    '../_base_/default_runtime.py',
    '../_base_/models/daformer_toy.py',
]

default_hooks = dict(checkpoint=dict(interval=150))
