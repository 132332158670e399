"""Requests that are not let in."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """Why a request is not answered, and with which status it is told so."""

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class Gone(Exception):
    """The client left before its request was complete."""
