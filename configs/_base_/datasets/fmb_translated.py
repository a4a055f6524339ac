# Cityscapes to be translated to the look of FMB's infrared, and trained on; 9 classes.
_base_ = './cityscapes_to_fmb_infrared.py'

source_dataset = dict(  # what is translated: whole frames with their labels; 64 must divide the sides
    _base_.train_dataloader.dataset.source,
    pipeline=[
        dict(type='LoadModalityImage'),
        dict(type='LoadMappedLabel'),
        dict(type='Resize', scale=(1024, 512)),
        dict(type='PackSegInputs'),
    ])
translated_pipeline = [  # how translated images are trained on
    dict(type='LoadModalityImage'),
    dict(type='LoadMappedLabel'),
    dict(type='RandomCrop', crop_size=_base_.crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(  # what g_0 is trained on
    batch_size=4,
    dataset=dict(_delete_=True, type='KeyedDataset', dataset=_base_.train_dataloader.dataset.source))
