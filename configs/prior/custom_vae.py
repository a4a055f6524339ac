# A VAE for looks of your own (a radar's, a microscope's), where Stable Diffusion's does not do: of the source's images
# and painted labels, which LPLR needs, and of the unlabelled target. Copy both files of this name, in another folder with
# bases like 'mmdass::prior/toy_vae.py', and change what the comments say. Then:
#   python tools/train.py configs/prior/custom_vae.py     # writes work_dirs/custom_vae/vae
#   python tools/train.py configs/prior/custom_unet.py    # writes work_dirs/custom_unet/denoiser, the whole model

_base_ = './toy_vae.py'

source_root = '{{$SOURCE_ROOT:data/my_rgb/}}'
target_root = '{{$TARGET_ROOT:data/my_radar/}}'
label_space = dict(  # the classes in the colours that LPLR will paint: as in the config that adapts
    classes=('road', 'building', 'vegetation', 'person', 'vehicle'),
    palette=((128, 64, 128), (70, 70, 70), (107, 142, 35), (220, 20, 60), (0, 0, 142)))
raw_labels = dict(  # what the ids in the label files mean, and what becomes of each: see self_training/custom_modality.py
    classes=('road', 'house', 'tree', 'pedestrian', 'cyclist', 'car', 'truck', 'sky'), void_ids=(8,))
class_mapping = dict(
    house='building', tree='vegetation', pedestrian='person', cyclist='person', car='vehicle', truck='vehicle')
crop_size = (256, 256)  # sides must be multiples of 64

augment = [
    dict(type='RandomResize', scale=(512, 288), ratio_range=(1.0, 2.0), keep_ratio=True),  # none below the crop, up to 2:1
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
]
source = dict(
    type='ModalityDataset',
    data_root=source_root,
    images='train/image/*.png',
    labels=(r'image/(.*)\.png', r'label/\1.png'),
    raw_labels=raw_labels, class_mapping=class_mapping, label_space=label_space,
    pipeline=[
        dict(type='LoadModalityImage'),
        dict(type='LoadMappedLabel'),
        *augment,
        dict(type='PaintLabel', label_space=label_space, prob=0.5),
        dict(type='PackSegInputs'),
    ])
target = dict(
    type='ModalityDataset',
    data_root=target_root,
    images='train/image/*.png',
    label_space=label_space,  # not used: there are no labels here
    pipeline=[
        dict(type='LoadModalityImage'),  # or LoadInfrared, LoadDepth, LoadEvents: the same as when adapting
        *augment,
        dict(type='PackSegInputs'),
    ])
train_dataloader = dict(
    batch_size=8, num_workers=4,
    dataset=dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=[source, target])))

model = dict(
    data_preprocessor=dict(size=crop_size),
    # 3.8 M parameters. Or one to train further, in diffusers' layout: vae='FOLDER'
    vae=dict(block_out_channels=(32, 64, 128, 128), norm_num_groups=8, sample_size=256))

optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=500, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=500, end=50000, T_max=49500, by_epoch=False),
]
train_cfg = dict(max_iters=50000)
default_hooks = dict(checkpoint=dict(interval=5000))
