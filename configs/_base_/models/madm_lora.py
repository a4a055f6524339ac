# MADM in adapters: what *_lora.py put into a config of MADM. All values are choices; none is published.

lora = dict(  # model.segmentor.backbone.lora
    rank=16, alpha=16,  # 3.2 M parameters instead of 860 M; ...
    target_modules=['to_q', 'to_k', 'to_v', 'to_out.0'])  # ... of all attention layers

# model.teacher.modules: the teacher averages all that is trained. MADM's own averages nothing of the UNet, for a copy
# of it is large; adapters are small.
averaged = ['neck', 'decode_head', 'backbone.conditioning', 'backbone.unet.*.lora_[AB]']

adapter_lr = dict(lora_=dict(lr_mult=20.0))  # 1e-4, that of diffusers' own trainings of adapters; the rest has 5e-6
