"""How far apart two sets of images are: distances between the distributions of a network's features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mmdass.evaluation.batching import same_sized_batches
from mmdass.utils.random import draw_key


@dataclass
class KernelDistance:
    """Kernel distance; 0 on average for two sets from one distribution, so single values can be below 0.

    Attributes:
        mean: Over the subsets.
        std: Over the subsets.
    """

    mean: float
    std: float


@torch.no_grad()
def extract_features(network: nn.Module, samples: Sequence[dict], batch_size: int = 8) -> np.ndarray:
    """Features of all images of a data set.

    Args:
        network: One of ``feature_networks.py``, or any that maps images (N, 3, H, W), uint8 RGB, to (N, D).
        samples: A data set, or a list, of ``dict(inputs=(3, H, W) uint8 BGR, ...)``. Both sets that are compared
            should have one image size.
        batch_size: Images a forward pass.

    Returns:
        (images, D) float64.
    """
    device = next(network.parameters()).device
    network.eval()
    features = []
    for batch in same_sized_batches((samples[index] for index in range(len(samples))), batch_size):
        images = torch.stack([sample['inputs'] for sample in batch]).flip(1)
        features.append(network(images.to(device)).double().cpu().numpy())
    return np.concatenate(features)


def kernel_distance(
    features_a: np.ndarray, features_b: np.ndarray, subset_size: int = 1000, num_subsets: int = 100, seed: int = 0
) -> KernelDistance:
    """Squared maximum mean discrepancy with a cubic kernel, unbiased; with Inception features the KID.

    Source: "Demystifying MMD GANs" (ICLR 2018), section 4, with its subsets. Unlike the Fréchet distance it does not
    depend on how many images there are, so prefer it where they are few.

    Args:
        features_a, features_b: (images, D) each.
        subset_size: Images of each set in a subset; half of the smaller set if that is fewer, so that subsets differ.
        num_subsets: Subsets that the mean and the standard deviation are over.
        seed: Of the choice of subsets.

    Raises:
        ValueError: A set has fewer than four images, or the numbers of features differ.
    """
    _check(features_a, features_b)
    size = min(subset_size, len(features_a) // 2, len(features_b) // 2)
    draws = np.random.default_rng(draw_key(seed, 0, 'kernel distance', rank=0))
    subsets = [
        [features[draws.choice(len(features), size, replace=False)] for features in (features_a, features_b)]
        for _ in range(num_subsets)
    ]
    distances = [squared_discrepancy(*subset) for subset in subsets]
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)))


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Fréchet distance between normal distributions fitted to features (images, D); with Inception's the FID.

    Source: "GANs Trained by a Two Time-Scale Update Rule" (NeurIPS 2017). It falls as the number of images grows;
    compare values of the same numbers alone.

    Raises:
        ValueError: A set has fewer than four images, or the numbers of features differ.
    """
    _check(features_a, features_b)
    # tr (A'A B'B)^½ is the sum of the singular values of AB': no root of a matrix, and fewer images than features are
    # no trouble.
    roots = [
        np.linalg.qr((features - features.mean(0)) / (len(features) - 1) ** 0.5, mode='r')
        for features in (features_a, features_b)
    ]
    shared = np.linalg.norm(roots[0] @ roots[1].T, ord='nuc')
    means = np.sum((features_a.mean(0) - features_b.mean(0)) ** 2)
    return float(max(0.0, means + sum(np.sum(root**2) for root in roots) - 2 * shared))


def squared_discrepancy(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased, of two sets of one size (images, D): no image is compared with itself."""
    size, channels = a.shape
    inner = sum(
        (np.sum(kernel) - np.trace(kernel)) / (size * (size - 1))
        for kernel in ((x @ x.T / channels + 1) ** 3 for x in (a, b))
    )
    return inner - 2 * np.mean((a @ b.T / channels + 1) ** 3)


def _check(features_a: np.ndarray, features_b: np.ndarray) -> None:
    if min(len(features_a), len(features_b)) < 4:
        raise ValueError(f'a distance between sets of {len(features_a)} and {len(features_b)} images means nothing; '
                         'give at least four of each')
    if features_a.shape[1:] != features_b.shape[1:]:
        raise ValueError(f'features of {features_a.shape[1:]} and {features_b.shape[1:]}: take one network for both')
