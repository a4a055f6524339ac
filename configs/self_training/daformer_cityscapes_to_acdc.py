# DAFormer, Cityscapes -> ACDC, 19 classes.
# Nobody published this pairing: the values are those of GTA5 -> Cityscapes.
_base_ = [
    '../_base_/datasets/cityscapes_to_acdc.py',  # with rare-class sampling
    '../_base_/models/daformer.py',
    '../_base_/schedules/self_training_40k.py',
    '../_base_/default_runtime.py',
]
