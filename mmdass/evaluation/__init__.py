from .metrics import DomainIoUMetric

__all__ = ['DomainIoUMetric']
