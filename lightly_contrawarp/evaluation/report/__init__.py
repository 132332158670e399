"""The evaluation as a page: tables, confusion, map of the embedding, searches."""

from lightly_contrawarp.evaluation.report.page import render_report

__all__ = ["render_report"]
