# PST900 (caves, tunnels): its RGB (labelled) to its infrared (unlabelled), 5 classes.
_base_ = './cityscapes_source.py'  # how batches are loaded and measured

source_root = target_root = '{{$TARGET_ROOT:data/PST900/}}'  # set target_root, which is both
label_space = 'pst5'

source_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='LoadMappedLabel'),
    dict(type='Resize', scale=(910, 512)),  # from 1280 x 720
    dict(type='RareClassCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
target_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='Resize', scale=(910, 512)),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='Resize', scale=(910, 512)),
    dict(type='LoadMappedLabel'),  # after Resize: the label stays at native size
    dict(type='PackSegInputs'),
]
tta_pipeline = [*test_pipeline[:-1], _base_.views]

train_dataloader = dict(
    dataset=dict(
        rare_class_sampling=dict(min_pixels=0.002),  # a share of the image: objects are small
        source=dict(
            data_root=source_root,
            images='train/rgb/*.png',  # 597 images
            labels=('/rgb/', '/labels/'),  # file names hold 'rgb' too
            raw_labels=label_space,
            label_space=label_space,
            pipeline=source_pipeline),
        target=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='train/thermal/*.png',  # the same scenes, 8-bit; 'thermal_raw' (16-bit) takes LoadInfrared
            label_space=label_space,
            modality='infrared',
            pipeline=target_pipeline)))
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='test/thermal/*.png',  # 288 images
        labels=('/thermal/', '/labels/'),
        label_space=label_space,
        modality='infrared',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
