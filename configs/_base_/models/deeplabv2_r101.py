# DeepLab v2 with ResNet-101 at an eighth of the image's size, what the older domain-adaptation literature trains.

model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True,  # ImageNet's
        size=(512, 512),  # of a training crop
        pad_val=0, seg_pad_val=255),
    backbone=dict(
        type='ResNetV1c',  # three 3 x 3 convolutions instead of the first 7 x 7
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet101_v1c'),  # ImageNet; or the path of a file
        depth=101, num_stages=4, out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), contract_dilation=True,
        norm_cfg=dict(type='BN', requires_grad=True), norm_eval=False,
        style='pytorch'),
    decode_head=dict(
        type='DeepLabV2Head',
        in_channels=2048, in_index=3,
        dilations=(6, 12, 18, 24),
        dropout_ratio=0.0,
        num_classes=None,  # set by the task
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
