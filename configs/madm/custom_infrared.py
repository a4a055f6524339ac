# Your own unlabelled thermal images instead of FMB's: MADM from Cityscapes to a folder of pictures. Copy and change.
#   TARGET_ROOT=my_thermal_images python tools/train.py configs/madm/custom_infrared.py
# Another modality: take depth.py or event.py as the base. Another source: see configs/_base_/datasets.
_base_ = './infrared.py'

target_root = '{{$TARGET_ROOT:data/my_thermal/}}'
train_dataloader = dict(dataset=dict(target=dict(
    data_root=target_root,
    images='**/*.png')))  # a glob below it, or a list of globs, or a list file 'train.txt'
# No labels, so nothing to measure: look at the pictures in work_dirs/custom_infrared. With labels, see infrared.py.
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None
