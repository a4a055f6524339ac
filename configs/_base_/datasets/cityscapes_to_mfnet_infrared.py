# Cityscapes RGB (labelled) to MFNet infrared (unlabelled): cars, persons, bikes, and all else as background.
_base_ = './cityscapes_source.py'

target_root = '{{$TARGET_ROOT:data/mfnet/}}'  # set like source_root: --cfg-options target_root=... or TARGET_ROOT=...
label_space = 'mfnet4'

target_pipeline = [
    dict(type='LoadModalityImage', channel=3),  # the files are RGB with the infrared image as fourth channel
    dict(type='Resize', scale=(683, 512)),  # from 640 x 480
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadModalityImage', channel=3),
    dict(type='LoadMappedLabel'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [*test_pipeline[:-1], _base_.views]

train_dataloader = dict(
    dataset=dict(
        source=dict(label_space=label_space, class_mapping='cityscapes_to_mfnet4'),
        target=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='train.txt',  # 784 names such as '00001D', day and night
            list_entry='images/{}.png',
            label_space=label_space,
            modality='infrared',
            pipeline=target_pipeline)))
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='test.txt',  # 393 names
        list_entry='images/{}.png',
        labels=('images/', 'labels/'),
        raw_labels='mfnet9',  # curbs, car stops, guardrails, cones and bumps are ignored
        label_space=label_space,
        modality='infrared',
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(group_by=r'([DN])\.png$')  # day and night
test_evaluator = val_evaluator
