# gta_to_cityscapes.py with SegFormer, and the optimizer that transformers need.

_base_ = [
    '../_base_/models/segformer_b5.py',
    '../_base_/datasets/gta_translated.py',
    '../_base_/schedules/ptl_adamw.py',
    '../_base_/default_runtime.py',
]

model = dict(decode_head=dict(num_classes=19))
train_dataloader = dict(batch_size=2)  # DAFormer's
train_cfg = dict(translated_pipeline=_base_.translated_pipeline)
