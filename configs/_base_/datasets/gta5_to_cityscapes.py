# GTA5 (labelled) to Cityscapes (unlabelled), 19 classes. `mmdass prepare gta ROOT` writes the trainIds.
_base_ = './target_cityscapes.py'

source_root = '{{$SOURCE_ROOT:data/gta/}}'

source_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='LoadMappedLabel'),
    dict(type='Resize', scale=(1280, 720)),  # DAFormer's size
    dict(type='RareClassCrop', crop_size=_base_.crop_size, cat_max_ratio=0.75),  # no class fills more than 75 %
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        source=dict(
            data_root=source_root,
            images='images/*.png',  # 24966 images
            labels=(r'images/(.*)\.png', r'labels/\1_labelTrainIds.png'),
            pipeline=source_pipeline)))
