"""The two file formats: ONNX, and PyTorch's own."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mmdass.utils.random import keyed_generator

INPUTS, OUTPUTS = ('images', ), ('labels', 'confidence')
Segment = Callable[[Tensor], tuple[Tensor, Tensor]]
# What may differ from the example, and which dimensions of the pictures (N, H, W, 3) that is; most general first.
FREEDOMS = {'any batch and size': (0, 1, 2), 'any batch of one size': (0, ), 'one batch and size': ()}


class ExportError(ValueError):
    """A model that cannot be exported."""


def random_pictures(number: int, height: int, width: int) -> Tensor:
    """Pictures (N, H, W, 3) uint8 of smooth random colours."""
    coarse = torch.rand(number, 3, 8, 8, generator=keyed_generator(0, number, 'export/pictures'))
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode='bilinear')
    return (255 * fine).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def example_pictures(freedom: str, size: Sequence[int]) -> list[Tensor]:
    """Two pictures of a size, and three, and larger ones, as far as a program of this freedom takes them."""
    free = FREEDOMS[freedom]
    larger = [side + 64 if dimension in free else side for dimension, side in enumerate(size, start=1)]
    return [random_pictures(2, *size), *([random_pictures(3, *larger)] if free else [])]


def trace(model: nn.Module, size: Sequence[int]) -> tuple[ExportedProgram, str, list[str]]:
    """Trace a model with as much freedom of its input's shape as it allows, and run it with that.

    Args:
        model: In eval mode.
        size: Height and width of a picture.

    Returns:
        The program, a key of ``FREEDOMS``, and for each key before it the reason why not.

    Raises:
        ExportError: It cannot be traced at all.
    """
    with torch.no_grad():
        model(random_pictures(2, *size))  # what a model draws once and keeps must not be drawn by the program
    reasons = []
    for freedom, dimensions in FREEDOMS.items():
        shapes = ({dimension: Dim.DYNAMIC for dimension in dimensions}, )
        try:
            with torch.no_grad():
                program = torch.export.export(model, (random_pictures(2, *size), ), dynamic_shapes=shapes)
                for pictures in example_pictures(freedom, size):
                    program.module()(pictures)
            return program, freedom, reasons
        except Exception as error:  # torch.export raises whatever the model's Python code stumbles over
            reasons.append(f'{freedom}: {type(error).__name__}: {error}')
    raise ExportError('torch.export cannot trace this model. ' + reasons[-1])


def write_pt2(program: ExportedProgram, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a file for ``torch.export.load``; the metadata is the extra file ``metadata.json``."""
    torch.export.save(program, path, extra_files={'metadata.json': json.dumps(metadata)})


def read_pt2(path: Path) -> Segment:
    """Read a file of :func:`write_pt2` to run it."""
    return torch.export.load(path).module()


def write_onnx(program: ExportedProgram, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a file for ONNX runtimes; the metadata is among the model's properties.

    Raises:
        ExportError: An operation of the model has no equal in ONNX.
    """
    try:
        exported = torch.onnx.export(program, input_names=INPUTS, output_names=OUTPUTS, dynamo=True, verbose=False)
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(f'ONNX has no equal for an operation of this model; a .pt2 file may do. {error}') from error
    exported.model.metadata_props.update(metadata)
    exported.save(path)


def read_onnx(path: Path) -> Segment:
    """Read a file of :func:`write_onnx` to run it on the CPU by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # so that speeds compare
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda images: tuple(map(torch.from_numpy, session.run(OUTPUTS, {INPUTS[0]: images.numpy()})))


FORMATS = {'.onnx': (write_onnx, read_onnx), '.pt2': (write_pt2, read_pt2)}
