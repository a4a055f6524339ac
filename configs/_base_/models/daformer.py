# DAFormer's self-training around its network. Another network: put any MMSeg segmentor in the place of `_base_.model`.
_base_ = './daformer_mitb5.py'

segmentor = _base_.model
model = dict(
    _delete_=True,
    type='SelfTraining',
    data_preprocessor=dict(type='DomainPairDataPreprocessor', source=segmentor.pop('data_preprocessor')),
    segmentor=segmentor,
    teacher=dict(
        modules=None,  # all of the segmentor is averaged
        alpha=0.999,  # after step k: min(1 - 1 / (k + 1), 0.999)
        mode='train', dropout=False,  # batch statistics, but neither dropout nor drop path while it labels
        average_buffers=False),
    pseudo_labeler=dict(
        type='ConfidencePseudoLabeler',
        threshold=0.968,  # the share of pixels above it ...
        weight='global',  # ... weighs all pseudo-labels of the batch
        ignore_top=0, ignore_bottom=0),  # set by tasks whose target is Cityscapes
    mixing=dict(type='ClassMix', pool='batch', mix_ignored=True),  # the classes are the whole batch's, 255 among them
    augmentation=dict(
        type='StrongAugmentation',
        jitter_threshold=0.2,  # jitter when a draw exceeds it, so in 80 % of the steps
        jitter_strength=0.2, blur_threshold=0.5, blur_sigma=(0.15, 1.15)),
    terms=dict(feature_distance=dict(  # None goes without
        type='FeatureDistance',
        label_space='cityscapes19',  # `classes` are found in it: things, unless the task says otherwise
        loss_weight=0.005, min_ratio=0.75)),
    predict_role='student')  # who is tested, as in DAFormer

custom_hooks = [
    dict(type='TeacherUpdateHook'),
    dict(type='DomainVisualizationHook', interval=1000),  # pictures of every branch
]
