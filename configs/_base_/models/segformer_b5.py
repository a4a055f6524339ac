# SegFormer with MiT-B5, the largest, 82.0 M parameters.
_base_ = './segformer_b0.py'

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),  # ImageNet's, as pretrained
    backbone=dict(
        init_cfg=dict(
            _delete_=True,  # ImageNet; or the path of a file
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/'
                       'mit_b5_20220624-658746d9.pth'),
        embed_dims=64,
        num_layers=[3, 6, 40, 3]),
    decode_head=dict(in_channels=[64, 128, 320, 512]))
