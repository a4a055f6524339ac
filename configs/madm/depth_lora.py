# depth.py in adapters: Stable Diffusion is frozen, and a checkpoint holds what was trained. For a card of 24 GB; the
# peak there has not been measured: --dry-run prints yours.

_base_ = ['./depth.py', '../_base_/models/madm_lora.py']

model = dict(
    segmentor=dict(backbone=dict(
        lora=dict(_base_.lora, modalities=['depth']),
        with_cp=True)),  # less memory for one more forward pass
    teacher=dict(modules=_base_.averaged))
train_dataloader = dict(batch_size=1)  # what each of the authors' two GPUs had; 2 if there is room
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=_base_.adapter_lr))
