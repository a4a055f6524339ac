# Your own data, without a line of Python: any labelled images to any unlabelled ones, by self-training around a stock
# MMSeg segmentor. Copy this file, in another folder with bases like 'mmdass::_base_/models/segformer_b0.py', and change
# what the comments say. Then:
#   mmdass check configs/self_training/custom_modality.py --contact-sheet sheet.png   # is the data what you think?
#   python tools/train.py configs/self_training/custom_modality.py --dry-run          # does a step run?
#   python tools/train.py configs/self_training/custom_modality.py

_base_ = [
    '../_base_/models/segformer_b0.py',  # `model` there is the student: any segmentor of MMSeg's configs will do
    '../_base_/schedules/self_training_40k.py',
    '../_base_/default_runtime.py',
]

# 1. Where the data is. Also: --cfg-options source_root=... target_root=..., or SOURCE_ROOT=... TARGET_ROOT=...
source_root = '{{$SOURCE_ROOT:data/my_rgb/}}'
target_root = '{{$TARGET_ROOT:data/my_thermal/}}'

# 2. What the model shall predict: a preset ('cityscapes19', 'madm11', 'nyu13', ...) or your own list.
label_space = dict(
    classes=('road', 'building', 'vegetation', 'person', 'vehicle'),
    palette=((128, 64, 128), (70, 70, 70), (107, 142, 35), (220, 20, 60), (0, 0, 142)))  # may be left out
num_classes = len(label_space['classes'])

# 3. What the ids in the label files mean, and what becomes of each. 255 always means 'no class'.
raw_labels = dict(
    classes=('road', 'house', 'tree', 'pedestrian', 'cyclist', 'car', 'truck', 'sky'),
    first_id=0,  # id of the first class in the files
    void_ids=(8,))  # ids that mean 'no class', beside 255
class_mapping = {  # by name, many-to-one; equal names need no entry, other classes (sky) are ignored
    'house': 'building',
    'tree': 'vegetation',
    'pedestrian': 'person',
    'cyclist': 'person',
    'car': 'vehicle',
    'truck': 'vehicle',
}

# 4. How files become pictures. LoadModalityImage takes 8-bit images of any kind; LoadInfrared (16-bit counts, fixed
#    range or percentiles), LoadDepth (any unit, linear, log or inverse) and LoadEvents (raw events) take measurements.
crop_size = (512, 512)  # height, width; of both domains
load_source = dict(type='LoadModalityImage')
load_target = dict(type='LoadModalityImage')

augment = [  # other transforms of MMCV and MMSeg go here too
    dict(type='RandomResize', scale=(1024, 512), ratio_range=(1.0, 2.0), keep_ratio=True),  # as large as the crop up to 2:1
]
source_pipeline = [
    load_source,
    dict(type='LoadMappedLabel'),
    *augment,
    dict(type='RareClassCrop', crop_size=crop_size),  # drawn again until it shows the class the image was drawn for
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
target_pipeline = [
    load_target,
    *augment,
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    load_target,
    dict(type='Resize', scale=(1024, 512), keep_ratio=True),
    dict(type='LoadMappedLabel'),  # after Resize: measured at the native size of the label
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    *test_pipeline[:-1],
    dict(type='TestTimeAug', transforms=[
        [dict(type='RandomFlip', prob=0.), dict(type='RandomFlip', prob=1.)], [dict(type='PackSegInputs')]]),
]

# 5. Which files. A glob below the root ('**' for any depth), a list of globs, or a list file 'train.txt'. `labels` turns
#    an image's path into its label's, as re.sub(pattern, replacement, path) does.
train_dataloader = dict(
    batch_size=2,  # pairs per process
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='KeyedSampler'),
    dataset=dict(
        type='DomainPairDataset',
        # min_pixels: least share of an image that is drawn for a class; None instead of the dict: no such sampling
        rare_class_sampling=dict(min_pixels=0.01, ignored_classes=False),
        source=dict(
            type='ModalityDataset',
            data_root=source_root,
            images='train/image/*.png',
            labels=(r'image/(.*)\.png', r'label/\1.png'),
            raw_labels=raw_labels, class_mapping=class_mapping, label_space=label_space,
            modality='rgb',
            pipeline=source_pipeline),
        target=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='train/image/*.png',
            label_space=label_space,
            modality='thermal',
            pipeline=target_pipeline)))

# 6. What is measured: a few labelled target images. Without any, instead of the rest of this part:
#      val_dataloader = val_cfg = val_evaluator = test_dataloader = test_cfg = test_evaluator = None
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ModalityDataset',
        data_root=target_root,
        images='val/image/*.png',
        labels=(r'image/(.*)\.png', r'label/\1.png'),
        raw_labels=raw_labels, class_mapping=class_mapping, label_space=label_space,
        modality='thermal',
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='DomainIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

# 7. The method: DAFormer's self-training around the segmentor.
segmentor = _base_.model
segmentor.decode_head.num_classes = num_classes
segmentor.data_preprocessor.update(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])  # as pretrained
segmentor.backbone.init_cfg = dict(  # on ImageNet; without a network, a FILE. None: random weights, far worse
    type='Pretrained',
    checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b0_20220624-7e0fe6dd.pth')
model = dict(
    _delete_=True,
    type='SelfTraining',
    data_preprocessor=dict(
        type='DomainPairDataPreprocessor', source=segmentor.pop('data_preprocessor')),  # `target=` for other statistics
    segmentor=segmentor,
    teacher=dict(alpha=0.999),
    pseudo_labeler=dict(type='ConfidencePseudoLabeler', threshold=0.968),
    mixing=dict(type='ClassMix'),
    augmentation=dict(type='StrongAugmentation'))
custom_hooks = [
    dict(type='TeacherUpdateHook'),  # without it, training refuses to start
    dict(type='DomainVisualizationHook', interval=1000),  # pictures of every branch
]
