# Cityscapes as the unlabelled target, tested on its validation split at native size, as DAFormer does.
# `*_to_cityscapes.py` set the source; here, too, what loads and measures (cityscapes_source.py).
_base_ = './cityscapes_source.py'

target_root = '{{$TARGET_ROOT:data/cityscapes/}}'  # set like source_root: --cfg-options target_root=... or TARGET_ROOT=...
label_space = 'cityscapes19'

target_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='Resize', scale=(1024, 512)),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='Resize', scale=(1024, 512)),
    dict(type='LoadMappedLabel'),  # after Resize: the label stays at native size, and predictions are brought there
    dict(type='PackSegInputs'),
]
tta_pipeline = [*test_pipeline[:-1], _base_.views]

train_dataloader = dict(
    dataset=dict(
        source=dict(label_space=label_space),
        target=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='leftImg8bit/train/*/*_leftImg8bit.png',  # 2975 images
            label_space=label_space,
            modality='rgb',
            pipeline=target_pipeline)))
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='leftImg8bit/val/*/*_leftImg8bit.png',  # 500 images
        labels=(r'leftImg8bit/(.*)_leftImg8bit\.png', r'gtFine/\1_gtFine_labelTrainIds.png'),
        label_space=label_space,
        modality='rgb',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
