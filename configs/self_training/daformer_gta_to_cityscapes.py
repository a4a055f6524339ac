# DAFormer, GTA5 -> Cityscapes, 19 classes.
_base_ = [
    '../_base_/datasets/gta5_to_cityscapes.py',  # with rare-class sampling
    '../_base_/models/daformer.py',
    '../_base_/schedules/self_training_40k.py',
    '../_base_/default_runtime.py',
]

model = dict(
    pseudo_labeler=dict(ignore_top=15, ignore_bottom=120))  # rectified edges and the car's own bonnet, in rows of 512
