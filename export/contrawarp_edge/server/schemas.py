"""What goes over the wire, as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

from contrawarp_edge.core.text import is_text


def _valid_unicode(text: str) -> str:
    if not is_text(text):  # JSON can name halves of a character
        raise ValueError("not valid Unicode")
    return text


Id = Annotated[int, Field(ge=1, lt=1 << 63, description="Id of an image.")]
Text = Annotated[str, AfterValidator(_valid_unicode)]
Integer = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Where = Annotated[
    dict[Text, Text | Integer | Number | bool],
    Field(max_length=64, description="Metadata that hits must have; all of it."),
]
MinScore = Annotated[
    float | None, Field(ge=-1, le=1, description="Leave out hits with lower scores.")
]

Sort = Annotated[
    Text | None,
    Field(description="A class of the model: its most probable images come first."),
]
BestOf = Annotated[
    Text | None,
    Field(description="A name in the metadata: the first image for each value only."),
]
Scores = Annotated[
    dict[str, float],
    Field(description="The probability of each class of the model, if it has some."),
]
Expression = Annotated[
    str | None, Field(description="The most probable class; null without classes.")
]
Exact = Annotated[bool, Field(description="Do not use the approximate index.")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Error(BaseModel):
    """Why a request was not answered."""

    error: str = Field(examples=["no image has id 12"])


class Health(BaseModel):
    """That the service runs and its gallery can be read."""

    status: str = Field(examples=["ok"])


class Model(BaseModel):
    """The model that the embeddings come from."""

    backbone: str
    dim: int
    input_size: int
    precision: str
    commercial_use: str
    fingerprint: str
    crop: dict[str, Any] = Field(description="How a face has to sit in an image.")
    classes: list[str] = Field(description="What the model recognises.")


class FieldValue(BaseModel):
    """A value of the metadata, and how many images have it."""

    value: str | int | float | bool
    count: int


class MetadataField(BaseModel):
    """A name in the metadata by which images can be filtered."""

    name: str
    values: list[FieldValue] = Field(description="The most frequent ones first.")


class RequestLimits(BaseModel):
    """What one request may use."""

    upload_bytes: int
    pixels: int
    examples: int
    hits: int


class Stats(BaseModel):
    """What the service has to offer."""

    gallery: str
    images: int
    model: Model
    fields: list[MetadataField]
    writable: bool
    limits: RequestLimits


class EmbedResult(BaseModel):
    """Embeddings of unit length, in the order of the images."""

    fingerprint: str = Field(description="Of the model; only equal ones compare.")
    embeddings: list[list[float]]
    scores: list[Scores]


class Recognised(BaseModel):
    """What the model recognises in one image."""

    expression: Expression
    scores: Scores


class RecogniseResult(BaseModel):
    """What the model recognises, in the order of the images."""

    fingerprint: str = Field(description="Of the model.")
    faces: list[Recognised]


class Example(_Strict):
    """Something to search for: the id of an image, or an embedding."""

    id: Id | None = None
    embedding: list[Number] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.id is None) == (self.embedding is None):
            raise ValueError("an example has either an id or an embedding")
        return self


class SearchOptions(_Strict):
    """Which hits of a search are wanted."""

    k: int = Field(20, ge=1, description="Most hits wanted.")
    where: Where = {}
    min_score: MinScore = None
    sort: Sort = None
    best_of: BestOf = None
    exact: Exact = False


class SearchRequest(SearchOptions):
    """A search by examples from the gallery or from ``/api/embed``."""

    like: list[Example] = Field(min_length=1)
    unlike: list[Example] = []


class ListRequest(_Strict):
    """Which images to list; by id without ``sort``."""

    where: Where = {}
    sort: Sort = None
    best_of: BestOf = None
    limit: int = Field(100, ge=1, description="Most images wanted.")


class DeleteRequest(_Strict):
    """Which images to erase."""

    where: Where = Field(
        min_length=1, description="Metadata that images must have; all of it."
    )


class DeleteResult(BaseModel):
    """What was erased."""

    deleted: int = Field(description="Number of images.")


class SearchHit(BaseModel):
    """One hit; ``score`` is the cosine similarity with the query, -1 to 1."""

    id: int
    score: float
    path: str
    metadata: dict[str, Any]
    expression: Expression
    scores: Scores


class SearchResult(BaseModel):
    """Hits, best first. Images named as examples by id are not among them."""

    hits: list[SearchHit]
    images: int = Field(description="Number of images in the gallery.")
    recall: float | None = Field(
        description="Share of the ten nearest images that the approximate index found "
        "when it was built; null if the search was exact."
    )


class ImageRecord(BaseModel):
    """What the gallery knows of an image."""

    id: int
    path: str
    sha256: str
    added: str
    metadata: dict[str, Any]
    expression: Expression
    scores: Scores


class ImageList(BaseModel):
    """Images of the gallery."""

    images: list[ImageRecord]
