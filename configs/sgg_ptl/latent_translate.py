# Latent label guidance: labelled RGB (Cityscapes) to the look of another modality (FMB's infrared) by Stable Diffusion with
# an adapter, guided in the decoded image. Our variant, of neither paper. Before it: latent_lora.py. Then either
#   python tools/train.py configs/sgg_ptl/latent_translate.py    # g and its stages; images in work_dirs/latent_translate
#   mmdass translate configs/sgg_ptl/latent_translate.py --segmentor g.pth --out OUT    # with a g that is trained
# Either folder is a source set of MADM or SelfTraining; README.md has the line.

_base_ = [
    '../_base_/models/segformer_b0.py',  # g
    '../_base_/models/latent_denoiser.py',
    '../_base_/datasets/fmb_translated.py',
    '../_base_/schedules/ptl_adamw.py',
    '../_base_/default_runtime.py',
]

adapter = '{{$ADAPTER:work_dirs/latent_lora/denoiser}}'

model = dict(decode_head=dict(num_classes=9))
translator = dict(
    profile='fast',  # 20 steps in bf16, each move within a trust region
    # Stable Diffusion's schedule keeps more of an image than the paper's, so stages are set by what is left of it: after
    # 840 of its steps as much (-15.8 dB) as after 600 of the paper's.
    start=840,
    sgg_hooks=[  # on the predicted clean image, decoded: a noisy latent is no image that g could read
        dict(type='LocalClassGuidanceHook', guide_on='x0_detached'),
        dict(type='GlobalSceneGuidanceHook', guide_on='x0_detached'),
    ],
    denoiser=dict(
        _base_.latent_denoiser,
        _delete_=True,
        lora=adapter,
        guide_decoder=None,  # 'madebyollin/taesd': an 18 times cheaper decoder for what g sees
        with_cp=True))  # the VAE's backward pass takes the memory
train_cfg = dict(
    stages=[260, 568, 840],  # what is left of the image: 2.9, -6.2, -15.8 dB, as after 200, 400, 600 of the paper's steps
    images_per_stage=1000,
    final_iters=0,  # the images are what is wanted
    translated_pipeline=_base_.translated_pipeline)
