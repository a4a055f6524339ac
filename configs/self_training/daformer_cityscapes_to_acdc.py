# DAFormer, Cityscapes -> ACDC, 19 classes.
# The data are prepared as in DAFormer's own config of this pairing; all else is as for GTA5 -> Cityscapes.
_base_ = [
    '../_base_/datasets/cityscapes_to_acdc.py',  # with rare-class sampling
    '../_base_/models/daformer.py',
    '../_base_/schedules/self_training_40k.py',
    '../_base_/default_runtime.py',
]
