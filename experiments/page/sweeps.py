"""Quality against losses, SNR and bandwidth."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.case import Conditions, System
from experiments.experiment import Experiment
from experiments.page.runner import Runner, Section, command_of
from experiments.plots import axes_of, draw_quality
from experiments.results import Results
from experiments.tables import interval, note_of
from progressive.evaluation.bootstrap import Estimate

FILES = ("loss_sweep.toml", "fading_sweep.toml", "bandwidth_sweep.toml")


def sections(runner: Runner) -> list[Section]:
    return [_section(runner, file) for file in FILES]


def _section(runner: Runner, file: str) -> Section:
    experiment = runner.read(file)
    results = runner.run(experiment)
    stem = file.removesuffix("_sweep.toml")
    figures, parts = {}, [note_of(experiment)]
    for name, axis in axes_of(experiment, 1.0).items():
        figures[f"{stem}_{name}.png"] = draw_quality(experiment.systems, axis, results)
        places = axis.labels or tuple(f"{place:g}" for place in axis.places)
        sentences = [
            *(_sentence(experiment, results, axis.conditions[n], f"{axis.title}: {places[n]}") for n in (0, -1)),
            _ahead(experiment, results, dict(zip(places, axis.conditions, strict=True))),
        ]
        parts += [" ".join(sentences), f"![{axis.title}]({stem}_{name}.png)"]
    return Section(experiment.title, "\n\n".join([*parts, command_of(file)]), figures)


def _sentence(experiment: Experiment, results: Results, conditions: Conditions, place: str) -> str:
    """The first system beside the best with another source."""
    ours = experiment.systems[0]
    best, gain = _best_other(experiment, results, conditions)
    return (
        f"At {place}, `{ours}` has {results.mean(ours, conditions, 'area').mean:.2f} dB over time; the difference to "
        f"the best other source, `{best}`, is {interval(gain)} dB."
    )


def _ahead(experiment: Experiment, results: Results, conditions: Mapping[str, Conditions]) -> str:
    """Where the first system is better over time than every other source."""
    gains = {place: _best_other(experiment, results, own)[1] for place, own in conditions.items()}
    ahead = [place for place, gain in gains.items() if gain.mean > 0]
    surely = [place for place in ahead if gains[place].low > 0]
    return (
        f"It is ahead of every other source over time at {', '.join(ahead) or 'none of these'}; the interval is above "
        f"0 at {', '.join(surely) or 'none'}."
    )


def _best_other(experiment: Experiment, results: Results, conditions: Conditions) -> tuple[System, Estimate]:
    """The best system over time with another source than the first one, and how far the first one is ahead of it."""
    ours = experiment.systems[0]
    others = [s for s in experiment.systems if s.source != ours.source]
    best = max(others, key=lambda s: results.mean(s, conditions, "area").mean)
    return best, results.gain(ours, best, conditions, "area")
