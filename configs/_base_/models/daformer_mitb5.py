# DAFormer's network: MiT-B5, pretrained on ImageNet, and its context-aware decoder. 19 classes; a task may set others.
_base_ = './segformer_b5.py'

model = dict(
    decode_head=dict(
        _delete_=True,
        type='DAFormerHead',
        in_channels=[64, 128, 320, 512], in_index=[0, 1, 2, 3],
        channels=256, embed_dims=256, dilations=(1, 6, 12, 18),
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=dict(type='BN', requires_grad=True),  # 'SyncBN' for several GPUs
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)))
