# MADM at the size of the paper: Stable Diffusion v1-4, projections, DAFormer's decoder, and the parts of self-training.
# A task's config sets: the classes (num_classes, label_space), LPLR's weights, DPLG's schedule.

normalize = dict(
    type='SegDataPreProcessor',
    mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True,  # RGB in [-1, 1], what the VAE takes
    size=(512, 512),  # of a training crop; 64 must divide it
    pad_val=0, seg_pad_val=255,
    test_cfg=dict(size_divisor=64))  # test images of other sizes are padded to a multiple of 64

model = dict(
    type='MADM',
    data_preprocessor=dict(type='DomainPairDataPreprocessor', source=normalize),
    segmentor=dict(  # the student: any piece of it can be exchanged as in MMSeg
        type='EncoderDecoder',
        backbone=dict(
            type='StableDiffusionBackbone',
            # A folder in diffusers' layout, or a hub id. This is the one place:
            # --cfg-options model.segmentor.backbone.pretrained=FOLDER     (another hub id: and its revision, or None)
            pretrained='CompVis/stable-diffusion-v1-4',
            revision='133a221b8aa7292a167afc5127cb63fb5005638b',
            taps=('up_blocks.3.attentions.2', 'up_blocks.2.attentions.2', 'up_blocks.1.attentions.2'),
            decode_output=True,  # s0: the VAE's picture of the UNet's output is the finest level
            conditioning=dict(type='LearnableConditioning'),  # one set of parameters for both domains
            noise_seed=42, noise_size=(64, 64),  # one noise tensor for all images and steps, at timestep 0 too; ...
            paper_noise=False,  # ... the paper draws anew, and adds none at timestep 0
            noise_resize='bicubic',  # 'draw' keeps the noise's variance at other sizes
            train_unet=True, freeze_tail=True,  # all of the UNet but conv_norm_out and conv_out, as released
            vae_dtype='float32'),  # released: float16
        neck=dict(
            type='BottleneckProjection',
            in_channels=[3, 320, 640, 1280],  # s0 and the taps
            out_channels=[128, 512, 512, 512],
            channels=128,
            norm_cfg=dict(type='GN', num_groups=32, requires_grad=True)),
        decode_head=dict(
            type='DAFormerHead',
            in_channels=[128, 512, 512, 512], in_index=[0, 1, 2, 3],
            channels=256, embed_dims=256, dilations=(1, 6, 12, 18),
            dropout_ratio=0.1,
            num_classes=None,  # set by the task
            norm_cfg=dict(type='BN', requires_grad=True),  # per process, as released; 'SyncBN' for several GPUs
            align_corners=False,
            init_cfg=None,  # the released code leaves PyTorch's initialisation of the last layer
            loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
        train_cfg=dict(), test_cfg=dict(mode='whole')),
    teacher=dict(
        modules=['neck', 'decode_head', 'backbone.conditioning'],  # not the UNet: the teacher runs the student's
        alpha=0.999,  # after step k: min(1 - 1 / (k + 1), 0.999)
        mode='train', dropout=True,  # as released: batch statistics and dropout while pseudo-labelling
        average_buffers=False),
    pseudo_labeler=dict(  # DPLG; dict(_delete_=True, type='ConfidencePseudoLabeler') goes without
        type='DiffusionPseudoLabeler',
        threshold=0.968,  # the share of pixels above it weighs all pseudo-labels of the batch
        start_timestep=(50, 51), end_iteration=8000),  # set by the task
    mixing=dict(type='ClassMix', pool='batch', mix_ignored=True),
    augmentation=dict(
        type='StrongAugmentation',
        jitter_threshold=0.2,  # jitter when a draw exceeds it, so in 80 % of the steps
        jitter_strength=0.2, blur_threshold=0.5, blur_sigma=(0.15, 1.15)),
    latent_palette_head=dict(  # LPLR; None goes without
        type='LatentPaletteHead',
        label_space=None,  # set by the task: its colours are painted
        source_weight=1.0, mix_weight=1.0,  # set by the task
        regression='l1',
        weigh_pasted=True),  # as released: pasted source pixels too are weighted by the teacher's confidence
    predict_role='student')  # who is tested; the released code tests the student

custom_hooks = [
    dict(type='TeacherUpdateHook'),
    dict(type='DomainVisualizationHook', interval=250),  # pictures of every branch, as often as the released code
]
