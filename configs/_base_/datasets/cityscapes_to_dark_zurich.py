# Cityscapes (labelled, day) to Dark Zurich (unlabelled, night), 19 classes, as in the folders of
# Dark_Zurich_train_anon and Dark_Zurich_val_anon.
_base_ = './cityscapes_to_acdc.py'  # whose images have the same size and names

target_root = '{{$TARGET_ROOT:data/dark_zurich/}}'

train_dataloader = dict(
    dataset=dict(
        target=dict(
            data_root=target_root,
            images='rgb_anon/train/night/*/*_rgb_anon.png')))  # 2416 images; there are 'day' and 'twilight' too
val_dataloader = dict(
    dataset=dict(
        data_root=target_root,
        images='rgb_anon/val/night/*/*_rgb_anon.png'))  # 50 images
test_dataloader = val_dataloader

val_evaluator = dict(group_by=None)
test_evaluator = val_evaluator
