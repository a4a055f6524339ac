"""MMSeg's IoU metric that also returns the IoU of each class."""

from mmseg.evaluation import IoUMetric

from mmdass.registry import METRICS


@METRICS.register_module()
class DomainIoUMetric(IoUMetric):
    """Mean IoU as MMSeg's ``IoUMetric``, with ``IoU.<class>`` beside it, so that each class lands in ``scalars.json``.

    Values are in percent. A class that neither the ground truth nor the predictions hold is nan and not in the mean;
    one that is only predicted counts as 0. Predictions are compared at the size of the ground truth in the data sample:
    the native one by default, 512 x 512 with MADM's test pipeline (:class:`EvaluateAtCurrentSize`). Ranks are gathered
    (the official code measures each rank's share alone).

    Args:
        **kwargs: Arguments of ``IoUMetric``.
    """

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Metrics of all images: ``aAcc``, ``mIoU``, ``mAcc``, and ``IoU.<class>``."""
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        intersection, union = (sum(areas) for areas in list(zip(*results, strict=True))[:2])
        for name, iou in zip(self.dataset_meta['classes'], 100 * intersection / union, strict=True):
            metrics[f'IoU.{name}'] = round(iou.item(), 2)
        return metrics
