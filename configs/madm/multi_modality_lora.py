# One model for depth and events: an adapter for each, trained together; head and all else serve both. An iteration sees
# images of one modality, through its adapter. A third modality is one entry more in each of three lists.
#   TARGET_ROOT=data/DELIVER/ EVENT_ROOT=data/DSEC/ python tools/train.py configs/madm/multi_modality_lora.py

_base_ = './depth_lora.py'

event_root = '{{$EVENT_ROOT:data/DSEC/}}'

model = dict(
    segmentor=dict(backbone=dict(lora=dict(modalities=['depth', 'event']))),
    # One schedule for both: starts from those of event.py to those of depth.py, the length of event.py.
    pseudo_labeler=dict(start_timestep=(50, 61), end_iteration=8000))
event = dict(type='ModalityDataset', data_root=event_root, exclude='000000.png', label_space='madm11', modality='event')
train_dataloader = dict(
    batch_size=1,  # images of one modality: with 1 that is certain
    dataset=dict(target=dict(_delete_=True, type='ConcatDataset', datasets=[
        _base_.train_dataloader.dataset.target,  # 3983 images
        dict(
            event,
            images='69mask_train_edges/*/*[02468].png',  # 4037 images, see event.py
            pipeline=[
                dict(type='LoadModalityImage'),
                dict(type='Resize', scale=(768, 512), backend='pillow'),
                *_base_.target_pipeline[2:]])])))
val_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=[
    _base_.val_dataloader.dataset,
    dict(
        event,
        images='69mask_test_edges/*/*.png',
        labels=(r'69mask_test_edges/(.*)/', r'test_semantic_labels/\1/11classes/'),
        test_mode=True,
        pipeline=_base_.test_pipeline)]))
test_dataloader = val_dataloader
val_evaluator = dict(group_by='(depth|edges)/')  # mIoU.depth, mIoU.edges: by the folders of the images
test_evaluator = val_evaluator
# Each iteration leaves the other adapter without a gradient.
find_unused_parameters = True
