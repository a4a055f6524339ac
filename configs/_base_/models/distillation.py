# Distillation into SegFormer-B0. A task's config sets: teacher_config and teacher_checkpoint, the classes.
_base_ = './segformer_b0.py'  # `model` there is the student: any segmentor with a stock head

segmentor = _base_.model
model = dict(
    _delete_=True,
    type='Distillation',
    data_preprocessor=dict(type='DomainPairDataPreprocessor', source=segmentor.pop('data_preprocessor')),
    segmentor=segmentor,
    teacher_config=None,  # any segmentor of mmdass or MMSeg; the config that a run wrote into its folder is a good one: ...
    teacher_checkpoint=None,  # ... it has all options resolved
    teacher_role='student',  # who teaches, where the teacher is a model with a mean teacher
    label_space=None,  # the teacher must have the same
    temperature=2.0, soft_weight=1.0,  # T^2 KL of the softened predictions
    threshold=0.9, hard_weight=1.0)  # cross-entropy on the classes that the teacher is this sure of

custom_hooks = [
    dict(type='ExportSegmentorHook'),  # segmentor.pth and segmentor.py, which MMSeg runs without mmdass
    dict(type='DomainVisualizationHook', interval=1000),  # pictures of the target and of the teacher's labels
]
