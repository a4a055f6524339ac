# Stable Diffusion as the denoiser of a modality's look: latent_lora.py fits it, latent_translate.py translates with it.

# A folder in diffusers' layout, or a hub id; the one place: --cfg-options stable_diffusion=FOLDER, or the environment's
# STABLE_DIFFUSION=FOLDER
stable_diffusion = '{{$STABLE_DIFFUSION:CompVis/stable-diffusion-v1-4}}'

latent_denoiser = dict(
    type='LatentDenoiser',
    pretrained=stable_diffusion,
    revision='133a221b8aa7292a167afc5127cb63fb5005638b',  # of the hub; a folder has none
    scheduler=dict(beta_schedule='scaled_linear', beta_start=0.00085, beta_end=0.012))  # its own
