# Optimizer and schedule of DAFormer: 40 000 iterations, tenfold learning rate for the head.

max_iters = 40000

optim_wrapper = dict(
    type='AutocastOptimWrapper',  # bf16; 'OptimWrapper' trains in float32, as DAFormer does
    optimizer=dict(type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(
        head=dict(lr_mult=10.), pos_block=dict(decay_mult=0.), norm=dict(decay_mult=0.))))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=1500, end=max_iters, by_epoch=False),
]

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=4000)
val_cfg = dict(type='TeacherStudentValLoop')  # measures student and teacher
test_cfg = dict(type='TestLoop')
