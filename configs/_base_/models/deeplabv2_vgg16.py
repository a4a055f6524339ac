# DeepLab v2 with VGG-16 at an eighth of the image's size.

model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True,  # ImageNet's
        size=(512, 512),  # of a training crop
        pad_val=0, seg_pad_val=255),
    backbone=dict(
        type='DilatedVGG16',
        init_cfg=dict(  # ImageNet; or the path of a file
            type='Pretrained', checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth'),
        channels=1024),
    decode_head=dict(
        type='DeepLabV2Head',
        in_channels=1024, in_index=0,
        dilations=(6, 12, 18, 24),
        dropout_ratio=0.0,
        num_classes=None,  # set by the task
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
