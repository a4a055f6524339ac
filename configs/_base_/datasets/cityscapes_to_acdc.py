# Cityscapes (labelled, clear weather) to ACDC (unlabelled fog, night, rain, snow), 19 classes, as in the folders of
# rgb_anon_trainvaltest and gt_trainval. Tested on ACDC's validation split, with a mean for each condition. Sizes and crops as
# in DAFormer's uda_cityscapes_to_acdc_512x512.py.
_base_ = './cityscapes_source.py'

target_root = '{{$TARGET_ROOT:data/acdc/}}'  # set like source_root: --cfg-options target_root=... or TARGET_ROOT=...
label_space = 'cityscapes19'

source_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='LoadMappedLabel'),
    dict(type='Resize', scale=(1024, 512)),
    dict(type='RareClassCrop', crop_size=_base_.crop_size, cat_max_ratio=0.75),  # no class over 75 % of a crop
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
target_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='Resize', scale=(960, 540)),  # half of 1920 x 1080
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='Resize', scale=(960, 540)),
    dict(type='LoadMappedLabel'),  # after Resize: the label stays at native size
    dict(type='PackSegInputs'),
]
tta_pipeline = [*test_pipeline[:-1], _base_.views]

train_dataloader = dict(
    dataset=dict(
        source=dict(label_space=label_space, pipeline=source_pipeline),
        target=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='rgb_anon/*/train/*/*_rgb_anon.png',  # 1600 images; 'rgb_anon/fog/train/...' for one condition
            label_space=label_space,
            modality='rgb',
            pipeline=target_pipeline)))
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='rgb_anon/*/val/*/*_rgb_anon.png',  # 406 images
        labels=(r'rgb_anon/(.*)_rgb_anon\.png', r'gt/\1_gt_labelTrainIds.png'),
        label_space=label_space,
        modality='rgb',
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(group_by=r'rgb_anon/(\w+)/')
test_evaluator = val_evaluator
