# Optimizer and schedule of MADM's released code: 10 000 iterations.

optim_wrapper = dict(
    # Deliberate exception: the released code trains in fp16 with loss scaling. bf16 has float32's range and needs none.
    type='AutocastOptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-6, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),  # no decay for norm layers and biases, one lr for all
    clip_grad=dict(max_norm=0.01, norm_type=2),  # over all parameters together
)
param_scheduler = [
    # 0.067 to 1 over 500/184375 of the training, 27.1 iterations
    dict(type='LinearLR', start_factor=0.067, begin=0, end=28, by_epoch=False),
    dict(type='MultiStepLR', milestones=[8889, 9630], gamma=0.1, by_epoch=False),
]

train_cfg = dict(type='IterBasedTrainLoop', max_iters=10000, val_interval=1000)
val_cfg = dict(type='TeacherStudentValLoop')  # measures student and teacher; released: the student alone
test_cfg = dict(type='TestLoop')
