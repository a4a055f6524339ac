# SegFormer with MiT-B0, a stock MMSeg segmentor of 3.7 M parameters.

model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True,  # [-1, 1], which augmentation expects
        size=(512, 512),  # of a training crop
        pad_val=0, seg_pad_val=255,
        test_cfg=dict(size_divisor=32)),
    backbone=dict(
        type='MixVisionTransformer',
        init_cfg=None,  # random; ImageNet's: dict(type='Pretrained', checkpoint=FILE), MMSeg's segformer configs name it
        in_channels=3,
        embed_dims=32,
        num_stages=4,
        num_layers=[2, 2, 2, 2],
        num_heads=[1, 2, 5, 8],
        patch_sizes=[7, 3, 3, 3],
        sr_ratios=[8, 4, 2, 1],
        out_indices=(0, 1, 2, 3),
        mlp_ratio=4,
        qkv_bias=True,
        drop_rate=0.0, attn_drop_rate=0.0, drop_path_rate=0.1),
    decode_head=dict(
        type='SegformerHead',
        in_channels=[32, 64, 160, 256], in_index=[0, 1, 2, 3],
        channels=256,
        dropout_ratio=0.1,
        num_classes=None,  # set by the task
        norm_cfg=dict(type='BN', requires_grad=True),  # 'SyncBN' for several GPUs
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
