"""The addresses of the page: everything is read-only, and only this machine is answered."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tpld.config import Phase2
from tpld.errors import TpldError
from tpld.viewer import layers
from tpld.viewer.catalogue import Catalogue, RoundPlace
from tpld.viewer.details import image_figures, origins_of, pixel_figures
from tpld.viewer.listing import SORTS, Query, listing, position
from tpld.viewer.recent import Recent
from tpld.viewer.rounds import Keys, Labelled, Round, opened
from tpld.viewer.scan import Scan, Scans

STATIC = Path(__file__).parent / "static"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_THUMBNAIL = 240  # pixels wide
_OPEN_ROUNDS = 32


class Busy(Exception):
    """The answer needs a scan that is still under way."""


@dataclass(frozen=True)
class Shown:
    """What a request is about: a round, one of its images, and the keys that are changed."""

    round: Round
    scan: Scan
    image: str
    keys: Keys


class Viewer:
    """Answers the page's questions about one experiment.

    Args:
        folder: ``results/<experiment>``.
        config: a configuration file; None: the one that Snakemake kept.

    Raises:
        StoreError: see `Catalogue`.
    """

    def __init__(self, folder: Path, config: Path | None = None) -> None:
        self._folder, self._config = folder, config
        self.catalogue = Catalogue(folder, config)
        self.scans = Scans()
        self._rounds: Recent[Round] = Recent(_OPEN_ROUNDS)
        self._opening = threading.Lock()

    def experiment(self, _: QueryParams) -> Response:
        """What there is to see; read anew, for the pipeline may have gone on."""
        self.catalogue = Catalogue(self._folder, self._config)
        places = self.catalogue.places
        first = self._first(places)
        classes = first.classes
        colors = self.catalogue.palette(classes)
        return JSONResponse({
            "name": self.catalogue.name,
            "folder": str(self.catalogue.root),
            "configured": self.catalogue.config is not None,
            "classes": [
                {"name": name, "color": "#" + bytes(color.tolist()).hex()}
                for name, color in zip(classes, colors, strict=True)
            ],
            "photos": self.catalogue.cache("target_train", classes) is not None,
            "truth": self.catalogue.cache("target_train_truth", classes) is not None,
            "images": len(first.names),
            "sorts": list(SORTS),
            "rounds": [self._describe(place) for place in places],
        })  # fmt: skip

    def _first(self, places: list[RoundPlace]) -> Round:
        """A round whose stores open; if none does, the error of the last one."""
        for place in places[:-1]:
            with suppress(TpldError):
                return self.round(place)
        return self.round(places[-1])

    def _describe(self, place: RoundPlace) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "method": place.method,
            "seed": place.seed,
            "name": place.name,
            "phase2": place.phase2,
            "labels": place.labels is not None,
        }
        try:
            found = self.round(place)
        except TpldError as error:
            return entry | {"problem": str(error)}
        return entry | {
            "portion": found.portion,
            "voting": found.voting.model_dump(),
            "origins": [
                {"origin": meaning, "color": layers.color_of_origin(meaning)}
                for meaning in origins_of(found, 3).values()
                if meaning != "none"
            ],
            "version": hashlib.sha256(
                f"{found.predictions.run}{found.labels.run if found.labels else ''}".encode()
            ).hexdigest()[:12],
        }

    def round(self, place: RoundPlace) -> Round:
        """A round, opened once."""
        with self._opening:
            return opened(self._rounds, place)

    def shown(self, query: QueryParams) -> Shown:
        """The round, image and keys of a request.

        Raises:
            StoreError: there is no such round or image.
            ValueError: a key is no number, or out of range.
        """
        seed = _number(query, "seed", int)
        place = self.catalogue.place(query.get("method", ""), seed or 0, query.get("round", ""))
        found = self.round(place)
        keys = Keys(
            portion=_number(query, "portion", float),
            window=_number(query, "window", int),
            iterations=_number(query, "iterations", int),
            alpha=_number(query, "alpha", float),
        )
        if keys.portion is not None and not 0 < keys.portion <= 1:
            raise ValueError(f"portion is {keys.portion}; expected a share above 0 and up to 1")
        if found.place.phase2:
            keys = Keys(portion=keys.portion)
        found.voting_with(keys)  # raises for an even window, a negative count, ...
        return Shown(found, self.scan(found), query.get("image", ""), keys)

    def scan(self, found: Round) -> Scan:
        """The scan of a round, begun if it was not."""
        config, root = self.catalogue.config, self.catalogue.root
        return self.scans.of(
            found,
            self.catalogue.cache("target_train_truth", found.classes),
            config.phase2 if config else Phase2(),
            root.parent / "state" / "viewer",
        )

    def labelled(self, shown: Shown) -> Labelled:
        """The labels of the image with the wanted keys.

        Raises:
            Busy: λ at another portion needs counts that are not all there.
        """
        bar = None
        if shown.keys.portion is not None:
            if not shown.scan.complete:
                raise Busy("λ at another portion needs the confidences of all images")
            bar = shown.scan.log_thresholds(shown.keys.portion)
        return shown.round.labelled(shown.image, shown.keys, bar)

    def truth(self, shown: Shown) -> np.ndarray | None:
        """Ground truth (H, W) of the image, if there is any."""
        cache = self.catalogue.cache("target_train_truth", shown.round.classes)
        if cache is None or shown.image not in cache.names:
            return None
        return cache.label(cache.names.index(shown.image))

    def images(self, query: QueryParams) -> Response:
        """One page of the list."""
        shown = self.shown(query)
        wanted = _query(query, shown.round)
        answer = listing(shown.scan, wanted)
        if shown.image:
            answer["position"] = position(shown.scan, wanted, shown.image)
        return JSONResponse(answer | {"scan": _progress(shown.scan)})

    def status(self, query: QueryParams) -> Response:
        """How far the scan of a round is."""
        return JSONResponse(_progress(self.shown(query).scan))

    def photo(self, query: QueryParams) -> Response:
        """The image itself, or with ``small`` its thumbnail."""
        shown = self.shown(query)
        cache = self.catalogue.cache("target_train", shown.round.classes)
        if cache is None or shown.image not in cache.names:
            return _problem(404, "the decoded images, data/target_train, are not there")
        image = cache.image(cache.names.index(shown.image))
        content = layers.photo(image, _THUMBNAIL if query.get("small") else None)
        return _picture(content, "image/jpeg")

    def layer(self, query: QueryParams) -> Response:
        """One layer of an image as a PNG."""
        shown, name = self.shown(query), query.get("layer", "")
        shown.round.index(shown.image)
        only = [int(k) for k in query.get("only", "").split(",") if k]
        colors = self.catalogue.palette(shown.round.classes)
        content = self._draw(shown, name, colors, only)
        if content is None:
            return _problem(404, f"there is no layer '{name}' of this image")
        return _picture(content, "image/png")

    def _draw(self, shown: Shown, name: str, colors: np.ndarray, only: list[int]) -> bytes | None:
        if name in ("prediction", "confidence"):
            prediction, log_p = shown.round.predict(shown.image)
            if name == "confidence":
                return layers.confidence_map(log_p)
            return layers.class_map(prediction, colors, only)
        truth = self.truth(shown)
        if name == "truth":
            return None if truth is None else layers.class_map(truth, colors, only)
        if name == "prediction_error":
            prediction, _ = shown.round.predict(shown.image)
            return None if truth is None else layers.error_map(prediction, truth)
        found = self.labelled(shown)
        if name == "label":
            return layers.class_map(found.label, colors, only)
        if name == "origin":
            iterations = shown.round.voting_with(shown.keys).iterations
            return layers.origin_map(found.origin, origins_of(shown.round, iterations))
        if name == "winner":
            return layers.score_map(found.candidates.first_excess)
        if name == "runner_up":
            return layers.score_map(found.candidates.second_excess)
        if name == "label_error" and truth is not None:
            return layers.error_map(found.label, truth)
        return None

    def figures(self, query: QueryParams) -> Response:
        """Density and accuracy of an image."""
        shown = self.shown(query)
        found = self.labelled(shown)
        prediction, _ = shown.round.predict(shown.image)
        iterations = shown.round.voting_with(shown.keys).iterations
        answer = image_figures(
            shown.round,
            found,
            prediction,
            self.truth(shown),
            origins_of(shown.round, iterations),
        )
        confidence = shown.scan.confidence(shown.round.index(shown.image))
        answer["confidence"] = None if math.isnan(confidence) else confidence
        answer["easy"] = shown.round.easy.get(shown.image)
        return JSONResponse(answer)

    def pixel(self, query: QueryParams) -> Response:
        """Why a pixel has its label."""
        shown = self.shown(query)
        x, y = _number(query, "x", int), _number(query, "y", int)
        if x is None or y is None:
            raise ValueError("x and y of the pixel are missing")
        found = self.labelled(shown)
        return JSONResponse(
            pixel_figures(shown.round, shown.image, shown.keys, found, self.truth(shown), y, x)
        )

    def scale(self, query: QueryParams) -> Response:
        """The colour scale of a layer."""
        return _picture(layers.scale(query.get("layer", "")), "image/png")


def make_app(viewer: Viewer) -> Starlette:
    """The web application; hosts other than loopback names are refused."""

    @asynccontextmanager
    async def lifespan(_: Starlette):
        yield
        viewer.scans.close()

    async def index(_: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    answers = ("experiment", "images", "status", "photo", "layer", "figures", "pixel", "scale")
    routes = [
        Route("/", index),
        *(Route(f"/api/{name}", _endpoint(getattr(viewer, name))) for name in answers),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    middleware = [
        # A page of another site cannot reach us under its own name (DNS rebinding).
        Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
        Middleware(BaseHTTPMiddleware, dispatch=_with_headers),
        Middleware(GZipMiddleware, minimum_size=2000),
    ]
    return Starlette(routes=routes, middleware=middleware, lifespan=lifespan)


def _endpoint(
    answer: Callable[[QueryParams], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Answer in a thread; errors that a user can mend become sentences that the page shows."""

    async def respond(request: Request) -> Response:
        try:
            return await run_in_threadpool(answer, request.query_params)
        except Busy as error:
            return _problem(409, str(error))
        except TpldError as error:
            return _problem(404, str(error))
        except ValueError as error:
            return _problem(400, str(error))

    return respond


async def _with_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if not request.url.path.startswith("/api"):
        response.headers.setdefault("Cache-Control", "no-cache")
    return response


def _query(query: QueryParams, found: Round) -> Query:
    sort = query.get("sort", "name")
    if sort not in SORTS:
        raise ValueError(f"sort is '{sort}'; known: {', '.join(SORTS)}")
    class_id = _number(query, "class", int)
    if class_id is not None and not 0 <= class_id < len(found.classes):
        raise ValueError(f"class is {class_id}; there are {len(found.classes)} classes")
    return Query(
        sort="name" if sort == "class" and class_id is None else sort,
        descending=query.get("descending") == "1",
        text=query.get("text", ""),
        class_id=class_id,
        subset=query.get("subset", ""),
        low=_number(query, "low", float),
        high=_number(query, "high", float),
        offset=max(0, _number(query, "offset", int) or 0),
        limit=min(500, max(1, _number(query, "limit", int) or 100)),
    )


def _number(query: QueryParams, name: str, kind: type) -> Any:
    """A number of the address; None where it is missing or empty."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"{name} is '{text}'; expected a number") from None
    if value != value or abs(value) == float("inf"):
        raise ValueError(f"{name} is '{text}'; expected a finite number")
    return value


def _progress(scan: Scan) -> dict[str, Any]:
    return scan.progress._asdict()


def _picture(content: bytes, mime: str) -> Response:
    # Addresses name the version of the store, so what is kept never goes stale.
    return Response(content, media_type=mime, headers={"Cache-Control": "private, max-age=86400"})


def _problem(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)
