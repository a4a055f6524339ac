# GTA5 to be translated to Cityscapes' look, and trained on; the unlabelled target trains the denoiser alone.
_base_ = './gta5_to_cityscapes.py'

source_dataset = dict(  # what is translated: whole frames with their labels, at the denoiser's size
    _base_.train_dataloader.dataset.source,
    pipeline=[
        dict(type='LoadModalityImage'),
        dict(type='LoadMappedLabel'),
        dict(type='Resize', scale=(512, 281)),
        dict(type='PackSegInputs'),
    ])
train_pipeline = [  # of the source as of its translations
    *_base_.source_pipeline[:2],
    # g guides at the size that is translated, and is tested at about DAFormer's: it learns all between.
    dict(type='RandomResize', scale=(1280, 720), ratio_range=(0.4, 1.0)),
    dict(type='RandomCrop', crop_size=_base_.crop_size, cat_max_ratio=0.75),
    *_base_.source_pipeline[4:],
]
translated_pipeline = train_pipeline
train_dataloader = dict(  # what g_0 is trained on
    batch_size=8,
    dataset=dict(
        _delete_=True, type='KeyedDataset', dataset=dict(_base_.train_dataloader.dataset.source, pipeline=train_pipeline)))
