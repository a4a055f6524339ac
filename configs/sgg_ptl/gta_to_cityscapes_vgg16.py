# gta_to_cityscapes.py with VGG-16.

_base_ = [
    '../_base_/models/deeplabv2_vgg16.py',
    '../_base_/datasets/gta_translated.py',
    '../_base_/schedules/ptl_sgd.py',
    '../_base_/default_runtime.py',
]

model = dict(decode_head=dict(num_classes=19))
train_cfg = dict(translated_pipeline=_base_.translated_pipeline)
