# The toy sibling of *_lora.py: adapters of the small UNet that is shipped.

_base_ = ['./toy_event.py', '../_base_/models/madm_lora.py']

model = dict(
    segmentor=dict(backbone=dict(lora=dict(_base_.lora, modalities=['event']))),
    teacher=dict(modules=_base_.averaged))
