from .domain_iou_metric import DomainIoUMetric

__all__ = ['DomainIoUMetric']
