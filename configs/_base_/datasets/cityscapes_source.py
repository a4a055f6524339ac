# Cityscapes RGB as the labelled source, with the values of MADM's released code; `cityscapes_to_*.py` add a target.
# Also here: how batches are loaded, tested and measured, which is the same for every target.

# The folder, set here and nowhere else. Three ways to set it:
#   tools/train.py CONFIG --cfg-options source_root=/data/cityscapes/
#   SOURCE_ROOT=/data/cityscapes/ tools/train.py CONFIG       (works in any tool that reads MMEngine configs)
#   or edit what follows the colon
source_root = '{{$SOURCE_ROOT:data/cityscapes/}}'

crop_size = (512, 512)  # height, width; must be divisible by 64

source_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='LoadMappedLabel'),  # trainIds to the classes of the target task
    dict(type='Resize', scale=(1024, 512), backend='pillow'),  # width, height; Pillow's bilinear is antialiased
    dict(type='RareClassCrop', crop_size=crop_size),  # drawn again, up to 10 times, until it shows the rare class
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
# The paper's protocol: image and label are squashed to 512 x 512 and compared there. For MMSeg's usual evaluation at
# native size, leave out EvaluateAtCurrentSize and put LoadMappedLabel after Resize.
test_pipeline = [
    dict(type='LoadModalityImage'),
    dict(type='LoadMappedLabel'),
    dict(type='Resize', scale=(512, 512), backend='pillow'),
    dict(type='EvaluateAtCurrentSize'),
    dict(type='PackModalityInputs'),  # says which modality it is: a model may have an adapter for each
]
views = dict(type='TestTimeAug', transforms=[  # tools/test.py --tta: the image and its mirror image
    [dict(type='RandomFlip', prob=0.), dict(type='RandomFlip', prob=1.)],
    [dict(type='PackModalityInputs')]])
tta_pipeline = [*test_pipeline[:-1], views]

train_dataloader = dict(
    batch_size=2,  # pairs per process; the official code trains with 2 in total
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='KeyedSampler'),  # endless; the order comes from the runner's seed
    dataset=dict(
        type='DomainPairDataset',
        # Softmax temperature over class rarity; pixels of the class that a file needs to be drawn for it (at full
        # size); share of them that the crop must keep. Counted once and cached: there is no file to prepare.
        rare_class_sampling=dict(temperature=0.01, min_pixels=3000, min_crop_ratio=0.5),
        source=dict(
            type='ModalityDataset',
            data_root=source_root,
            images='leftImg8bit/train/*/*_leftImg8bit.png',  # 2975 images
            labels=(r'leftImg8bit/(.*)_leftImg8bit\.png', r'gtFine/\1_gtFine_labelTrainIds.png'),  # as in re.sub
            raw_labels='cityscapes19',  # the classes in the files
            modality='rgb',
            pipeline=source_pipeline)))

val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ModalityDataset', test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader  # the official code has no validation split

val_evaluator = dict(type='DomainIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
