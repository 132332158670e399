"""The errors of a service, each as JSON with one clear message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from contrawarp_edge.core.errors import (
    ContrawarpError,
    FullError,
    InputError,
    NotFoundError,
    StorageError,
)
from contrawarp_edge.core.files import storage_errors
from contrawarp_edge.core.text import printable


class ReadonlyError(InputError):
    """Clients may not change the gallery."""


_STATUS: dict[type, int] = {
    NotFoundError: 404,
    ReadonlyError: 403,
    StorageError: 503,
    FullError: 507,
}
_MESSAGE_LENGTH = 500


def add_error_handlers(app: FastAPI) -> None:
    """Makes an application answer errors with ``{"error": message}``."""

    @app.exception_handler(ContrawarpError)
    async def unusable(request: Request, error: ContrawarpError) -> JSONResponse:
        statuses = (_STATUS.get(kind) for kind in type(error).__mro__)
        return error_response(next(filter(None, statuses), 422), error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(422, _first_problem(error.errors()))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, error.detail)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return error_response(500, "internal error; the service's log says more")


@contextmanager
def changing(failure: str) -> Iterator[None]:
    """Says of what the machine cannot store that it is not the client's fault."""
    with storage_errors(failure):
        try:
            yield
        except StorageError as error:
            kind = FullError if isinstance(error, FullError) else StorageError
            raise kind(f"{failure}: {error}") from error


def error_response(status: int, message: object) -> JSONResponse:
    """An error as it goes out: one line, not too long."""
    text = printable(" ".join(str(message).split()))
    return JSONResponse({"error": text[:_MESSAGE_LENGTH]}, status)


def _first_problem(problems: Any) -> str:
    problem = problems[0]
    # The first place is "body", "query" or "path"; numbers point into lists.
    place = ".".join(str(part) for part in problem["loc"][1:])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
