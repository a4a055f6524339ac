# A MADM that segments DSEC events, distilled into SegFormer-B0, on Cityscapes with labels and events without.
#   python tools/train.py configs/distill/segformer_b0_event.py --cfg-options teacher_checkpoint=CHECKPOINT
# There are no published settings: the paper's appendix reports a distillation without its details. Not trained here.

_base_ = [
    '../_base_/datasets/cityscapes_to_dsec_event.py',
    '../_base_/schedules/self_training_40k.py',  # SegFormer's own optimizer: AdamW, 6e-5, tenfold for the head
    '../_base_/default_runtime.py',
    '../_base_/models/distillation.py',
]

teacher_config = '{{$TEACHER_CONFIG:work_dirs/event/event.py}}'  # of configs/madm/event.py
teacher_checkpoint = '{{$TEACHER_CHECKPOINT:work_dirs/event/iter_10000.pth}}'

model = dict(
    segmentor=dict(decode_head=dict(num_classes=11)),
    teacher_config=teacher_config,
    teacher_checkpoint=teacher_checkpoint,
    label_space=_base_.label_space)
