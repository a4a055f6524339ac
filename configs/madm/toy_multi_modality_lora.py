# The toy sibling of multi_modality_lora.py: adapters for depth and events, trained together.

_base_ = './toy_event_lora.py'

model = dict(
    segmentor=dict(backbone=dict(lora=dict(modalities=['depth', 'event']))),
    latent_palette_head=dict(source_weight=1.0, mix_weight=1.0))  # as in depth.py
train_dataloader = dict(
    batch_size=1,
    dataset=dict(target=dict(_delete_=True, type='ConcatDataset', ignore_keys='modality', datasets=[
        dict(_base_.train_dataloader.dataset.target, modality=modality) for modality in ('depth', 'event')])))
val_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', ignore_keys='modality', datasets=[
    dict(_base_.val_dataloader.dataset, modality=modality) for modality in ('depth', 'event')]))
test_dataloader = val_dataloader
val_evaluator = dict(group_by=r'toy://(\w+)/')  # mIoU.depth, mIoU.event
test_evaluator = val_evaluator
find_unused_parameters = True
