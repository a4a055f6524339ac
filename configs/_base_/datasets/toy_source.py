# The toy world's RGB as the labelled source; `toy_*.py` add a target. Nothing is on disk, so nothing is to be set.
# Also here: how batches are loaded, tested and measured, which is the same for every target.

crop_size = (128, 128)  # height, width; must be divisible by 64
label_space = 'madm11'  # what the model predicts, and what the toy world draws

train_pipeline = [
    dict(type='RenderToyScene'),  # 256 x 128; with its label for the source, without for the target
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackModalityInputs'),  # says which modality it is: a model may have an adapter for each
]
test_pipeline = [
    dict(type='RenderToyScene'),
    dict(type='PackModalityInputs'),
]
tta_pipeline = [  # tools/test.py --tta: the image and its mirror image
    dict(type='RenderToyScene'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='RandomFlip', prob=0.), dict(type='RandomFlip', prob=1.)],
        [dict(type='PackModalityInputs')]]),
]

train_dataloader = dict(
    batch_size=2,  # pairs
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='KeyedSampler'),  # endless; the order comes from the runner's seed
    dataset=dict(
        type='DomainPairDataset',
        # look='real' has haze, texture and a noisy sensor, as Cityscapes has; 'synthetic' is clean like a game
        source=dict(
            type='ToyStreetDataset', modality='rgb', look='real', num_images=2000, seed=0, pipeline=train_pipeline),
        # another seed: other streets, as in the real task
        target=dict(
            type='ToyStreetDataset', num_images=2000, seed=1, with_label=False, pipeline=train_pipeline)))

val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ToyStreetDataset', num_images=50, seed=1, split='val', test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='DomainIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
