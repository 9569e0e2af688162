"""Trains the importance network to find, in one forward pass, what Grad-CAM++ finds by a classifier and its gradients.

The network starts from the classifier's features, and all of it learns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from progressive.files import write_atomically
from progressive.semantics.classifier import Classifier, load_classifier
from progressive.semantics.importance_network import ImportanceNetwork, load_network
from progressive.training.data import Photos
from progressive.training.importance.phases import Distilling
from progressive.training.importance.settings import SHIPPED, Settings
from progressive.training.importance.teacher import features_for_photos
from progressive.training.importance.views import answered, choose_views
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out


class Importance(Recipe[ImportanceNetwork, Settings]):
    """Each process asks the teacher about photos of its own; the maps lie beside the weights while a run lasts."""

    name = "importance"
    kind = Settings
    shipped = SHIPPED
    upscaling = 1.0

    def fresh(self) -> ImportanceNetwork:
        classifier, network = self._classifier, ImportanceNetwork()
        network.features.load_state_dict(features_for_photos(classifier))
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def read(self, file: Path) -> ImportanceNetwork:
        network = self.fresh()
        network.load_state_dict(load_network(file).state_dict())
        return network

    def phases(self, model: ImportanceNetwork, photos: Photos) -> Mapping[str, Callable[[], Phase[ImportanceNetwork]]]:
        rng = np.random.default_rng(self.seed)
        views = choose_views(photos.training, self.settings.views, rng)
        own = [view for view in views if view.photo % self.worker.count == self.worker.rank]
        whole = choose_views(photos.held_out if self.worker.leads else [], 1, rng)

        def distilling() -> Distilling:
            targets = answered(photos.training, own, self._classifier, self._cache("teacher"), self.log)
            watched = answered(photos.held_out, whole, self._classifier, self._cache("watched"), self.log)
            return Distilling(model, self.settings.distillation, photos.training, targets, photos.held_out, watched)

        return {"distillation": distilling}

    def write(self, out: Path, model: ImportanceNetwork) -> None:
        state = model.state_dict()
        halved = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in state.items()}
        write_atomically(out, save(halved))

    def clean_up(self) -> None:
        for rank in range(self.worker.count):
            for kind in ("teacher", "watched"):
                self._cache(kind, rank).unlink(missing_ok=True)

    @cached_property
    def _classifier(self) -> Classifier:
        return load_classifier(Path(self.settings.teacher) if self.settings.teacher else None)

    def _cache(self, kind: str, rank: int | None = None) -> Path:
        number = self.worker.rank if rank is None else rank
        return self.out.with_suffix(f".{kind}{number or ''}")


train = partial(carry_out, Importance)
