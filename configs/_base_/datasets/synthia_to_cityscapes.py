# SYNTHIA-RAND-CITYSCAPES (labelled) to Cityscapes (unlabelled). `mmdass prepare synthia ROOT` writes the trainIds.
# The model predicts 19 classes; the 16 that SYNTHIA has, and the usual 13 of them, are averaged apart.
_base_ = './target_cityscapes.py'

source_root = '{{$SOURCE_ROOT:data/synthia/}}'

source_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='LoadMappedLabel'),
    dict(type='Resize', scale=(1280, 760)),  # DAFormer's size
    dict(type='RareClassCrop', crop_size=_base_.crop_size, cat_max_ratio=0.75),  # no class fills more than 75 %
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        source=dict(
            data_root=source_root,
            images='RGB/*.png',  # 9400 images
            labels=(r'RGB/(.*)\.png', r'GT/LABELS/\1_labelTrainIds.png'),
            pipeline=source_pipeline)))

val_evaluator = dict(subsets=dict(mIoU16='synthia16', mIoU13='synthia13'))
test_evaluator = val_evaluator
