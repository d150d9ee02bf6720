"""The report: one outcome as a tree of files that people and programs read, and the commit that brings it."""

from reconciler.core.report.pace import Turn, turned, waits
from reconciler.core.report.services import fleet
from reconciler.core.report.status import read, read_status
from reconciler.core.report.table import COLUMNS, rows
from reconciler.core.report.tree import build

__all__ = ["COLUMNS", "Turn", "build", "fleet", "read", "read_status", "rows", "turned", "waits"]
