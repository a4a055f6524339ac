# Cityscapes RGB (labelled) to DELIVER depth (unlabelled), 11 classes, as in MADM's released code.
_base_ = './cityscapes_source.py'

target_root = '{{$TARGET_ROOT:data/DELIVER/}}'  # set like source_root: --cfg-options target_root=... or TARGET_ROOT=...
label_space = 'madm11'  # what the model predicts

target_pipeline = [
    dict(type='LoadModalityImage'),  # 8-bit logarithmic depth; grey images are repeated to 3 channels
    dict(type='Resize', scale=(712, 712), backend='pillow'),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackModalityInputs'),  # says which modality it is: a model may have an adapter for each
]
train_dataloader = dict(
    dataset=dict(
        # merged by name: riders become persons, motorcycles and bicycles cars
        source=dict(label_space=label_space, class_mapping='cityscapes_to_madm11'),
        target=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='depth/*/train/*/*_depth_front.png',  # five weathers, 3983 images, sensor failures included
            label_space=label_space,
            modality='depth',
            pipeline=target_pipeline)))
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='depth/*/test/*/*_depth_front.png',  # 1897 images
        labels=('depth', 'semantic'),  # in the folder and in the file name
        raw_labels='deliver25',  # ids from 1; 0 and 255 are ignored
        label_channel=0,  # of several
        class_mapping='deliver_to_madm11',
        label_space=label_space,
        modality='depth'))
test_dataloader = val_dataloader
