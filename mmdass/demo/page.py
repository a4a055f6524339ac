"""The page: what it shows, and what happens when something on it is moved."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from mmdass.visualization.domain_visualizer import colour_panel

from .safe_image import MAX_BYTES, MAX_PIXELS
from .segmentation import NUM_SCENES, DemoSegmentor, Segmentation
from .translation import DemoTranslator, Walk

_WIDTH = 512
_NO_GUIDE = 'There is no guide: start the page with `--segmentor FILE`.'
_ONE_AT_A_TIME = dict(concurrency_id='model', concurrency_limit=1, api_visibility='private')
THEME = gr.themes.Default(  # with fonts that nobody has to fetch
    primary_hue='teal', font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace'])
CSS = '.swatch {display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 .9em; border: 1px solid #888}'


def build_page(segmentors: Mapping[str, DemoSegmentor], translator: DemoTranslator) -> gr.Blocks:
    """Lay the page out.

    Args:
        segmentors: By the names that they are chosen by; at least one.
        translator: Of the second tab.
    """
    with gr.Blocks(title='mmdass', analytics_enabled=False, delete_cache=(600, 3600), fill_width=True) as page:
        gr.Markdown('# mmdass')
        with gr.Tab('Segment'):
            _lay_out_segmentation(page, segmentors)
        with gr.Tab('Translate'):
            _lay_out_translation(translator)
    return page


def _lay_out_segmentation(page: gr.Blocks, segmentors: Mapping[str, DemoSegmentor]) -> None:
    first = next(iter(segmentors.values()))
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(list(segmentors), label='Model', elem_id='model')
            modality = gr.Radio(first.modalities, value=first.modalities[0], label='Modality', elem_id='modality')
            scene = gr.Slider(0, NUM_SCENES - 1, 0, step=1, label='Toy scene', elem_id='scene')
            upload = _upload('segment-upload')
            timestep = gr.Slider(
                0, first.last_timestep or 1, 0, step=1, label='DPLG timestep', elem_id='timestep',
                info='How much noise is added before the model looks; 0 is what it is tested with.',
                interactive=first.last_timestep is not None)
        with gr.Column(scale=3):
            status = gr.Markdown(elem_id='segment-status')
            with gr.Row():
                shown = [_picture(name) for name in ('Picture', 'Prediction', 'True label')]
            with gr.Row():
                shown += [
                    _picture(name) for name in ('Confidence (yellow: sure)', 'Decoded LPLR', 'Changed by the noise')]
            legend = gr.HTML()
    controls, outputs = [model, modality, scene, upload, timestep], [status, *shown, legend]

    @_in_a_sentence(len(outputs))
    def segment(model: str, modality: str, scene: int, upload: str | None, timestep: int) -> list[Any]:
        chosen = segmentors[model]
        modality = modality if modality in chosen.modalities else chosen.modalities[0]  # the model has just changed
        timestep = min(int(timestep), chosen.last_timestep or 0)
        found, clean = (chosen.segment(upload or int(scene), modality, step) for step in (timestep, 0))
        return [_summary(found, clean, timestep), *_panels(found, clean, chosen.colours), _legend(chosen)]

    def offer(model: str) -> list[Any]:
        chosen = segmentors[model]
        return [gr.Radio(chosen.modalities, value=chosen.modalities[0]),
                gr.Slider(maximum=chosen.last_timestep or 1, value=0, interactive=chosen.last_timestep is not None)]

    gr.on([page.load, *(control.change for control in controls)], segment, controls, outputs,
          trigger_mode='always_last', show_progress='minimal', show_progress_on=shown[1], **_ONE_AT_A_TIME)
    model.change(offer, model, [modality, timestep], **_ONE_AT_A_TIME)


def _lay_out_translation(translator: DemoTranslator) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            number = gr.Slider(
                0, min(translator.num_images, NUM_SCENES) - 1, 0, step=1, label='Picture of the source',
                elem_id='number')
            upload = _upload('translate-upload')
            start = gr.Slider(
                1, translator.length, translator.start, step=1, label='Steps of noise', elem_id='start',
                info='More look more like the target, and less like the picture.')
            guided = gr.Checkbox(
                translator.has_guide, label='Guided by its label (SGG)', elem_id='guided',
                interactive=translator.has_guide,
                info=None if translator.has_guide else _NO_GUIDE)
            button = gr.Button('Translate', variant='primary', elem_id='translate')
        with gr.Column(scale=3):
            status = gr.Markdown(elem_id='translate-status')
            with gr.Row():
                shown = [_picture(name) for name in ('Source', 'Label', 'Translation')]
            step = gr.Slider(
                0, 1, 0, step=1, label='Reverse step', info='First translate.', interactive=False, elem_id='step')
            with gr.Row():
                frame = [_picture(name) for name in ('State', 'Clean picture that the denoiser sees in it')]
    frames = gr.State(time_to_live=3600)
    outputs = [status, *shown, frames]

    @_in_a_sentence(len(outputs))
    def translate(
        number: int, upload: str | None, start: int, guided: bool, progress: gr.Progress = gr.Progress()  # noqa: B008
    ) -> list[Any]:
        walk = translator.walk(upload or int(number), int(start), guided, progress)
        frames = [(frame.timestep, [_enlarged(each) for each in (frame.noisy, frame.clean)]) for frame in walk.frames]
        label = None if walk.label is None else _enlarged(walk.label, translator.colours)
        return [_outcome(walk, guided), _enlarged(walk.source), label, _enlarged(walk.result), frames]

    def begin(frames: list | None) -> gr.Slider:
        last = len(frames or [0]) - 1
        return gr.Slider(maximum=max(last, 1), value=0, interactive=last > 0)

    def show(frames: list | None, step: int) -> list[Any]:
        if not frames:
            return [gr.Slider(info='First translate.'), None, None]
        timestep, pictures = frames[min(int(step), len(frames) - 1)]
        return [gr.Slider(info=f'Timestep {timestep}'), *pictures]

    button.click(
        translate, [number, upload, start, guided], outputs, show_progress_on=shown[2],
        **_ONE_AT_A_TIME,
    ).then(begin, frames, step, api_visibility='private').then(
        show, [frames, step], [step, *frame], api_visibility='private')
    step.change(show, [frames, step], [step, *frame], trigger_mode='always_last', show_progress='hidden',
                api_visibility='private')


def _upload(elem_id: str) -> gr.File:
    upload = gr.File(label='Or a picture of your own', height=150, elem_id=elem_id)
    gr.Markdown(f'PNG, JPEG, WebP or BMP, at most {MAX_BYTES // 2**20} MiB and {MAX_PIXELS / 1e6:.1f} megapixels.')
    return upload


def _picture(name: str) -> gr.Image:
    """A picture below its name: Gradio's own label would cover a corner of it."""
    with gr.Column(min_width=200):
        gr.Markdown(name)
        return gr.Image(
            show_label=False, format='png', interactive=False, buttons=['fullscreen'], alt_text=name, container=False,
            elem_id=name.partition(' (')[0].lower().replace(' ', '-'))


def _in_a_sentence(num_outputs: int) -> Callable:
    """Let a function of the page say what is wrong in its first output, and empty the ``num_outputs - 1`` others."""
    def wrap(function: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        @wraps(function)
        def speak(*args: Any, **kwargs: Any) -> list[Any]:
            try:
                return function(*args, **kwargs)
            except (OSError, ValueError, RuntimeError, FloatingPointError) as error:  # ours all say what is wrong
                paths = [each for each in args if isinstance(each, str) and Path(each).is_absolute()]
                text = str(error)
                for path in paths:
                    text = text.replace(path, Path(path).name)
                return [f'**{escape(text)}**', *[None] * (num_outputs - 1)]
        return speak
    return wrap


def _summary(found: Segmentation, clean: Segmentation, timestep: int) -> str:
    text = f'Mean confidence **{found.confidence.mean():.2f}**'
    if found.truth is not None:
        text += f', **{100 * (found.label.numpy() == found.truth).mean():.0f} %** of the pixels right'
    if timestep:
        changed = 100 * (found.label != clean.label).float().mean()
        text += f'. The noise of timestep {timestep} changed the class of **{changed:.0f} %**'
    return text + '.'


def _panels(found: Segmentation, clean: Segmentation, colours: Sequence) -> list[np.ndarray | None]:
    """Picture, prediction, true label, confidence, decoded LPLR, and the prediction where it changed."""
    picture = torch.from_numpy(found.picture.copy()).permute(2, 0, 1) / 127.5 - 1
    truth = None if found.truth is None else torch.from_numpy(found.truth)
    changed = torch.where(found.label != clean.label, found.label, 255)
    panels = picture, found.label, truth, found.confidence, found.palette, changed
    return [None if panel is None else _enlarged(panel, colours) for panel in panels]


def _outcome(walk: Walk, wanted: bool) -> str:
    if walk.guided:
        return f'Walked back from timestep {walk.frames[0].timestep}, guided by the label.'
    reason = ': nobody knows the label of this picture' if wanted and walk.label is None else ''
    return f'Walked back from timestep {walk.frames[0].timestep} without guidance{reason}.'


def _legend(model: DemoSegmentor) -> str:
    return ' '.join(f'<span class="swatch" style="background: rgb{tuple(colour)}"></span>{escape(name)}'
                    for name, colour in zip(model.classes, model.colours, strict=True))


def _enlarged(panel: Tensor, colours: Sequence = ()) -> np.ndarray:
    """A panel as of ``DomainVisualizer.draw_panels``, coloured, and at least as wide as it is shown."""
    height, width = panel.shape[-2:]
    scale = max(1, _WIDTH / width)
    return colour_panel(panel, colours, (round(width * scale), round(height * scale)))
