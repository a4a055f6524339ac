# SGG and PTL from GTA5 to Cityscapes with DeepLab v2 on ResNet-101: g on the source, six stages of translation and
# fine-tuning, a fresh network on the last stage's images, everything evaluated. Before it, the target's diffusion model:
#   python tools/train.py configs/sgg_ptl/denoiser_cityscapes.py
#   python tools/train.py configs/sgg_ptl/gta_to_cityscapes.py
# `mmdass prepare gta ROOT` writes the labels. README.md lists what of this is the paper's.

_base_ = [
    '../_base_/models/deeplabv2_r101.py',  # g and the final network; deeplabv2_vgg16.py fits too, and MMSeg's own
    '../_base_/datasets/gta_translated.py',
    '../_base_/schedules/ptl_sgd.py',
    '../_base_/default_runtime.py',
]

model = dict(decode_head=dict(num_classes=19))
train_cfg = dict(translated_pipeline=_base_.translated_pipeline)
