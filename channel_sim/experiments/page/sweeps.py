"""Quality against losses, SNR and bandwidth."""

from __future__ import annotations

from channel_sim.experiments.case import Conditions
from channel_sim.experiments.experiment import Experiment
from channel_sim.experiments.page.runner import Runner, Section, command_of
from channel_sim.experiments.plots import axes_of, draw_quality
from channel_sim.experiments.results import Results
from channel_sim.experiments.tables import interval, note_of

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
        sentences = [_sentence(experiment, results, axis.conditions[n], f"{axis.title}: {places[n]}") for n in (0, -1)]
        parts += [" ".join(sentences), f"![{axis.title}]({stem}_{name}.png)"]
    return Section(experiment.title, "\n\n".join([*parts, command_of(file)]), figures)


def _sentence(experiment: Experiment, results: Results, conditions: Conditions, place: str) -> str:
    """The first system beside the best with another source."""
    ours = experiment.systems[0]
    others = [s for s in experiment.systems if s.source != ours.source]
    best = max(others, key=lambda s: results.mean(s, conditions, "area").mean)
    mean = results.mean(ours, conditions, "area")
    gain = results.gain(ours, best, conditions, "area")
    return (
        f"At {place}, `{ours}` has {mean.mean:.2f} dB over time, {interval(gain)} dB more than the best other source, "
        f"`{best}`."
    )
