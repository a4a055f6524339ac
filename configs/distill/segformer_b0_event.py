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
    data_preprocessor=dict(source=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])),  # as pretrained
    segmentor=dict(
        backbone=dict(init_cfg=dict(
            _delete_=True,  # ImageNet; or the path of a file
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/'
                       'mit_b0_20220624-7e0fe6dd.pth')),
        decode_head=dict(num_classes=11)),
    teacher_config=teacher_config,
    teacher_checkpoint=teacher_checkpoint,
    label_space=_base_.label_space)
