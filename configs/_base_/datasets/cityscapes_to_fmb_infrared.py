# Cityscapes RGB (labelled) to FMB infrared (unlabelled), 9 classes, as in MADM's released code.
_base_ = './cityscapes_source.py'

target_root = '{{$TARGET_ROOT:data/FMB/}}'  # set like source_root: --cfg-options target_root=... or TARGET_ROOT=...
label_space = 'madm9'  # what the model predicts; 'car' is every vehicle

target_pipeline = [
    dict(type='LoadModalityImage'),  # grey images are repeated to 3 channels
    dict(type='Resize', scale=(683, 512), backend='pillow'),  # from 800 x 600
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackModalityInputs'),  # says which modality it is: a model may have an adapter for each
]
train_dataloader = dict(
    dataset=dict(
        # merged by name: riders become persons, motorcycles and bicycles cars; walls and fences are ignored
        source=dict(label_space=label_space, class_mapping='cityscapes_to_madm9'),
        target=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='train/Infrared/*.png',  # 1220 images
            label_space=label_space,
            modality='infrared',
            pipeline=target_pipeline)))
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='test/Infrared/*.png',  # 280 images
        labels=('Infrared', 'Label'),
        raw_labels='fmb14',  # ids from 1; 0, the background, is ignored
        class_mapping='fmb_to_madm9',
        label_space=label_space,
        modality='infrared'))
test_dataloader = val_dataloader
