# NYU Depth V2: its RGB (labelled) to its depth (unlabelled), 13 classes merged from the 40. Folders as ESANet's
# preparation writes them from the published .mat file: {train,test}/{rgb,depth_raw,labels_40}/*.png.
_base_ = './cityscapes_source.py'  # how batches are loaded and measured

source_root = target_root = '{{$TARGET_ROOT:data/nyuv2/}}'  # set target_root, which is both
label_space = 'nyu13'

load_depth = dict(
    type='LoadDepth',  # 16-bit PNGs in millimetres, 0 where nothing was measured
    unit=0.001, coding='inverse', near=0.5, far=10.0)
source_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='LoadMappedLabel'),
    dict(type='Resize', scale=(683, 512)),  # from 640 x 480
    dict(type='RareClassCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
target_pipeline = [
    load_depth,
    dict(type='Resize', scale=(683, 512)),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    load_depth,
    dict(type='LoadMappedLabel'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [*test_pipeline[:-1], _base_.views]

train_dataloader = dict(
    dataset=dict(
        rare_class_sampling=dict(min_pixels=0.01),  # a share of the image
        source=dict(
            data_root=source_root,
            images='train/rgb/*.png',  # 795 images
            labels=('/rgb/', '/labels_40/'),
            raw_labels='nyu40',  # ids from 1; 0 is unlabelled
            class_mapping='nyu40_to_nyu13',
            label_space=label_space,
            pipeline=source_pipeline),
        target=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='train/depth_raw/*.png',
            label_space=label_space,
            modality='depth',
            pipeline=target_pipeline)))
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='test/depth_raw/*.png',  # 654 images
        labels=('/depth_raw/', '/labels_40/'),
        raw_labels='nyu40',
        class_mapping='nyu40_to_nyu13',
        label_space=label_space,
        modality='depth',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
