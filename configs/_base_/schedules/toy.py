# A short training from random weights, for the toy world: minutes on two cores.

max_iters = 300

optim_wrapper = dict(
    type='OptimWrapper',  # float32: CPUs without bf16 units are slower in bf16
    optimizer=dict(type='AdamW', lr=1e-3, fused=True, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
    clip_grad=dict(max_norm=1.0, norm_type=2))  # the 0.01 of the full size is for a pretrained network
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=30, by_epoch=False),
    dict(type='PolyLR', eta_min=1e-5, power=0.9, begin=30, end=max_iters, by_epoch=False),
]

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters // 2)
val_cfg = dict(type='TeacherStudentValLoop')
test_cfg = dict(type='TestLoop')
