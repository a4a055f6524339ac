# Your own unlabelled thermal images instead of FMB's: MADM from Cityscapes to a folder of pictures. Copy and change; in
# another folder write `_base_ = 'mmdass::madm/infrared.py'`.
#   TARGET_ROOT=my_thermal_images python tools/train.py configs/madm/custom_infrared.py
# Another modality: take depth.py or event.py as the base (and exclude=() for the latter, whose 000000.png are left out).
_base_ = './infrared.py'

target_root = '{{$TARGET_ROOT:data/my_thermal/}}'
target_pipeline = [
    dict(type='LoadModalityImage'),
    # Width and height: FMB's shape, 4:3. Other pictures would be stretched: 910 x 512 for 16:9. None below crop_size.
    dict(type='Resize', scale=(683, 512), backend='pillow'),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackModalityInputs'),
]
train_dataloader = dict(dataset=dict(target=dict(
    data_root=target_root,
    images='**/*.png',  # a glob below it, or a list of globs, or a list file 'train.txt'
    pipeline=target_pipeline)))
# No labels, so nothing to measure: look at the pictures in work_dirs/custom_infrared. With a few labelled images, write in a
# copy what ../_base_/datasets/cityscapes_to_fmb_infrared.py has from val_dataloader on, instead of these two lines.
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None
