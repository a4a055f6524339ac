# Latent label guidance in the toy world: clean RGB to the look of infrared, on two CPU cores. Before it: latent_lora_toy.py
#   python tools/train.py configs/sgg_ptl/latent_translate_toy.py
_base_ = './toy.py'

source_pipeline = [dict(type='RenderToyScene'), dict(type='PackSegInputs')]  # 256 x 128: 64 must divide the sides
source_dataset = dict(pipeline=source_pipeline)
train_dataloader = dict(dataset=dict(dataset=dict(
    pipeline=[source_pipeline[0], dict(type='RandomFlip', prob=0.5), source_pipeline[1]])))
val_dataloader = dict(dataset=dict(modality='infrared', look=None, pipeline=source_pipeline))
test_dataloader = val_dataloader
model = dict(data_preprocessor=dict(size=(128, 256)))

denoiser = '{{$DENOISER:work_dirs/latent_lora_toy/denoiser}}'

translator = dict(
    start=840,  # see latent_translate.py
    denoiser=dict(
        _delete_=True,
        type='LatentDenoiser',
        pretrained=denoiser,
        scheduler=dict(beta_schedule='scaled_linear', beta_start=0.00085, beta_end=0.012)))
train_cfg = dict(stages=[568, 840], final_iters=0)
