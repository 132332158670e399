"""The model card: what is known about an exported model, and what is not."""

from lightly_contrawarp.export.model_card.card import (
    check_replaceable,
    render_card,
)
from lightly_contrawarp.export.model_card.measured import (
    read_evaluation,
    select_results,
)

__all__ = [
    "check_replaceable",
    "read_evaluation",
    "render_card",
    "select_results",
]
