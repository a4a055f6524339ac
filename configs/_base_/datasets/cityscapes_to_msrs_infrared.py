# Cityscapes RGB (labelled) to MSRS infrared (unlabelled), in the classes of MFNet, from which MSRS was made.
_base_ = './cityscapes_to_mfnet_infrared.py'

target_root = '{{$TARGET_ROOT:data/MSRS/}}'

target_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='Resize', scale=(683, 512)),  # from 640 x 480
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='LoadMappedLabel'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [*test_pipeline[:-1], _base_.views]

train_dataloader = dict(
    dataset=dict(
        target=dict(
            data_root=target_root,
            images='train/ir/*.png',  # 1083 images
            pipeline=target_pipeline)))
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='test/ir/*.png',  # 361 images
        labels=('/ir/', '/Segmentation_labels/'),
        raw_labels='msrs9',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
