# The MADM of toy_event.py, distilled into SegFormer-B0 on the toy world, on two CPU cores.
#   python tools/train.py configs/madm/toy_event.py
#   python tools/train.py configs/distill/toy_segformer_b0.py

_base_ = [
    '../_base_/datasets/toy_event.py',
    '../_base_/schedules/toy.py',
    '../_base_/default_runtime.py',
    '../_base_/models/distillation.py',
]

teacher_config = '{{$TEACHER_CONFIG:work_dirs/toy_event/toy_event.py}}'
teacher_checkpoint = '{{$TEACHER_CHECKPOINT:work_dirs/toy_event/iter_300.pth}}'

model = dict(
    data_preprocessor=dict(source=dict(size=(128, 128))),
    segmentor=dict(decode_head=dict(num_classes=11)),
    teacher_config=teacher_config,
    teacher_checkpoint=teacher_checkpoint,
    label_space=_base_.label_space,
    threshold=0.5)  # a teacher trained for a few hundred iterations is not as sure as 0.9
default_hooks = dict(checkpoint=dict(interval=150))
