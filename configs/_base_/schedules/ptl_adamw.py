# PTL with DAFormer's optimizer, for transformers. A scheduler without `end` lasts for a phase.
_base_ = './sgg_ptl.py'

optim_wrapper = dict(
    type='AutocastOptimWrapper',  # bf16
    optimizer=dict(type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(
        head=dict(lr_mult=10.), pos_block=dict(decay_mult=0.), norm=dict(decay_mult=0.))))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=1500, by_epoch=False),
]
