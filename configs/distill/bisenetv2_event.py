# As segformer_b0_event.py, with BiSeNet V2 as the student: MMSeg's configs/bisenetv2, its optimizer, at 16 images a step.
_base_ = './segformer_b0_event.py'

head = dict(
    type='FCNHead', num_convs=2, concat_input=False, num_classes=11, align_corners=False,
    norm_cfg=dict(type='BN', requires_grad=True),  # 'SyncBN' for several GPUs
    loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0))
model = dict(
    segmentor=dict(
        _delete_=True,
        type='EncoderDecoder',
        backbone=dict(
            type='BiSeNetV2',
            detail_channels=(64, 64, 128), semantic_channels=(16, 32, 64, 128), semantic_expansion_ratio=6,
            bga_channels=128, out_indices=(0, 1, 2, 3, 4), align_corners=False),
        decode_head=dict(head, in_channels=128, in_index=0, channels=1024, num_convs=1),
        auxiliary_head=[  # of training alone; they learn the hard labels
            dict(head, in_channels=16, in_index=1, channels=16),
            dict(head, in_channels=32, in_index=2, channels=64),
            dict(head, in_channels=64, in_index=3, channels=256),
            dict(head, in_channels=128, in_index=4, channels=1024)],
        train_cfg=dict(), test_cfg=dict(mode='whole')))

train_dataloader = dict(batch_size=16)  # pairs
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr=0.05, momentum=0.9, weight_decay=0.0005), paramwise_cfg=None)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1000, by_epoch=False),
    dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=1000, end=_base_.max_iters, by_epoch=False),
]
