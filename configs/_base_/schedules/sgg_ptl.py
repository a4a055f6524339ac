# SGG and PTL: how the source is translated, and how translation and segmentation take turns.
# The paper's text leaves much open; here it is read literally, and configs/sgg_ptl/README.md lists every choice.

denoiser = '{{$DENOISER:work_dirs/denoiser_cityscapes/denoiser}}'  # the target's, a folder in diffusers' layout

translator = dict(
    type='DiffusionTranslator',
    # Noise of n steps and as many back, float32, LCG and GSG in turns with scale 60, on the noisy image. 'exact_fast' is
    # the same in bf16; 'fast' takes 20 steps, guides on the predicted clean image and limits each move.
    profile='paper',
    denoiser=dict(type='Denoiser', pretrained=denoiser))

train_cfg = dict(
    type='ProgressiveTranslationLoop',
    source_iters=40000,  # g_0, on the source; 0 with load_from=FILE
    stages=[100, 200, 300, 400, 500, 600],  # steps of noise; dict(num=6, smallest=60, largest=600): equal steps in SNR
    stage_iters=2000,  # fine-tuning of g in each stage, ...
    stage_lr_factor=0.25,  # ... at this part of the learning rate, constant, with a fresh optimizer
    replay=(1.0, 0.0, 0.0),  # shares of this stage's images, the stage before's, the source; (0.7, 0.2, 0.1) forgets less
    images_per_stage=None,  # all; 2000 costs a third: g has only to follow a small shift. The last stage has all
    rare_class_sampling=None,  # dict(temperature=0.01, min_pixels=3000): how these are drawn
    robustness=None,  # dict(noise=0.5, region=0.25): g sees noisy images and single regions while it is trained
    guard=None,  # dict(num_images=200, tolerance=0.5): a g that became worse on held-out translated images is given up
    final_iters=40000,  # a fresh network on the last stage's images
    translated_pipeline=None,  # how translated images are loaded; set by the task
    translate_batch_size=1,  # images that are translated together
    val_interval=None)  # each phase ends with a validation; a number validates every so many iterations too
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
