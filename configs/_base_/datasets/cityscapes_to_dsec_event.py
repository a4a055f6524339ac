# Cityscapes RGB (labelled) to DSEC event images (unlabelled), 11 classes, as in MADM's released code.
_base_ = './cityscapes_source.py'

target_root = '{{$TARGET_ROOT:data/DSEC/}}'  # set like source_root: --cfg-options target_root=... or TARGET_ROOT=...
label_space = 'madm11'  # what the model predicts: the classes of DSEC-Semantic, in their order

target_pipeline = [
    dict(type='LoadModalityImage'),  # grey images are repeated to 3 channels
    dict(type='Resize', scale=(768, 512), backend='pillow'),  # from 640 x 440: a stretch of 3 percent
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
            images='69mask_train_edges/*/*[02468].png',  # every second frame, ...
            exclude='000000.png',  # ... from 000002 on: 4037 images
            label_space=label_space,
            modality='event',
            pipeline=target_pipeline)))
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='69mask_test_edges/*/*.png',
        exclude='000000.png',  # all frames from 000001: 2806 images, 440 rows like their labels
        labels=(r'69mask_test_edges/(.*)/', r'test_semantic_labels/\1/11classes/'),  # the ids are the model's
        label_space=label_space,
        modality='event'))
test_dataloader = val_dataloader
