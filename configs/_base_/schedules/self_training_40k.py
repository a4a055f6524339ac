# Optimizer and schedule of DAFormer: 40 000 iterations, tenfold learning rate for the head.

max_iters = 40000

no_decay = dict(decay_mult=0.)
optim_wrapper = dict(
    type='AutocastOptimWrapper',  # bf16; 'OptimWrapper' trains in float32, as DAFormer does
    optimizer=dict(type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={
        'head': dict(lr_mult=10.), 'norm': no_decay,
        'pos_embed': no_decay, 'relative_position_bias_table': no_decay,  # of ViT and Swin; a MiT has none
        # the norm after each stage of a MiT, which MMSeg does not call so
        'layers.0.2.': no_decay, 'layers.1.2.': no_decay, 'layers.2.2.': no_decay, 'layers.3.2.': no_decay}))
param_scheduler = [  # their product, as in MMCV 1.x: the decay begins with the warm-up, not after it
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1501, by_epoch=False),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=0, end=max_iters + 1, by_epoch=False),
]

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=4000)
val_cfg = dict(type='TeacherStudentValLoop')  # measures student and teacher
test_cfg = dict(type='TestLoop')
