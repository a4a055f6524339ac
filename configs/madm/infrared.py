# MADM, Cityscapes RGB -> FMB infrared, 9 classes. Values are the released code's but for bf16; README.md has the list.

_base_ = [
    '../_base_/datasets/cityscapes_to_fmb_infrared.py',
    '../_base_/schedules/madm_10k.py',
    '../_base_/default_runtime.py',
    '../_base_/models/madm.py',
]

model = dict(
    segmentor=dict(decode_head=dict(num_classes=9)),
    pseudo_labeler=dict(start_timestep=(50, 51), end_iteration=8000),
    latent_palette_head=dict(label_space='madm9', source_weight=1.0, mix_weight=1.0))
