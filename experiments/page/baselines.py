"""Every source with every delivery: how soon a picture can be recognised, and quality over time."""

from __future__ import annotations

from experiments.case import Conditions, System
from experiments.experiment import Experiment
from experiments.page.runner import Runner, Section, command_of, target
from experiments.plots import draw_over_time, in_words
from experiments.results import Results
from experiments.tables import interval, note_of, systems_table

FILE = "systems.toml"
DRAWN_DELIVERIES = ("planned", "equal")
FEEDBACK = "retransmission"


def section(runner: Runner) -> Section:
    """A table and a plot for each channel."""
    experiment = runner.read(FILE)
    results = runner.run(experiment)
    figures, parts = {}, [_introduction(experiment)]
    for number, conditions in enumerate(experiment.conditions, 1):
        name = f"over_time_{number}.png"
        figures[name] = draw_over_time(_drawn(experiment, conditions, results), conditions, results)
        parts += [
            f"### {in_words(conditions)}",
            _sentence(experiment, conditions, results),
            systems_table(experiment, results, conditions),
            f"![Quality over time]({name})",
        ]
    return Section("Beside what people use", "\n\n".join([*parts, command_of(FILE)]), figures)


def _introduction(experiment: Experiment) -> str:
    return f"""\
All systems send the same bytes in packets with the same headers, until the same deadline, and meet the same fates.
Quality, redundancy, block length, interleaving depth and packet size of each are searched jointly on tuning photos
with the same knowledge of the channel, then frozen. Progressive formats are shown at every prefix that their decoders
accept, of WebP the rows that have come, AVIF when all of it is there; `avif-thumbnail` is a small AVIF, then the whole.
`retransmission` sends every lost packet again after a round trip by perfect feedback; the others have no feedback.
{note_of(experiment)}"""


def _sentence(experiment: Experiment, conditions: Conditions, results: Results) -> str:
    """The first source beside all others, among the systems without feedback and among those with it."""
    source = experiment.systems[0].source
    measured = []
    for words, with_feedback in (("without feedback", False), ("with perfect feedback", True)):
        group = [s for s in experiment.systems if (s.delivery == FEEDBACK) == with_feedback]
        ours = [s for s in group if s.source == source]
        others = [s for s in group if s.source != source]
        if ours and others:
            measured.append(f"{words} {_beside(ours[0], others, conditions, results)}")
    return target("ahead of every baseline in time to MS-SSIM 0.8 and in quality over time", "; ".join(measured))


def _beside(ours: System, others: list[System], conditions: Conditions, results: Results) -> str:
    """How far one system is from the best of others, in both figures, and who is ahead of it."""

    def seconds(system: System) -> float:
        return results.mean(system, conditions, "recognisable_s").mean

    def area(system: System) -> float:
        return results.mean(system, conditions, "area").mean

    soonest, best = min(others, key=seconds), max(others, key=area)
    gain = results.gain(ours, best, conditions, "area")
    ratio = area(ours) / area(best)
    sooner = [s for s in others if seconds(s) <= seconds(ours)]
    better = [s for s in others if area(s) >= area(ours)]
    return (
        f"`{ours}` is recognisable after {seconds(ours):.2f} s, the soonest other, `{soonest}`, after "
        f"{seconds(soonest):.2f} s ({seconds(soonest) / seconds(ours):.2f} times), and its PSNR over time differs by "
        f"{interval(gain)} dB (area {ratio:.3f} times) from the best other, `{best}`: "
        f"{_ahead(sooner, 'sooner')}, {_ahead(better, 'better over time')}"
    )


def _ahead(systems: list[System], words: str) -> str:
    return f"{', '.join(f'`{system}`' for system in systems) or 'no other'} {words}"


def _drawn(experiment: Experiment, conditions: Conditions, results: Results) -> list[System]:
    """Ours with every delivery, of every other source its best one without feedback, and the best other with it."""

    def area(system: System) -> float:
        return results.mean(system, conditions, "area").mean

    first = experiment.systems[0].source
    drawn = [system for system in experiment.systems if system.source == first]
    for source in experiment.sources[1:]:
        own = [s for s in experiment.systems if s.source == source and s.delivery in DRAWN_DELIVERIES]
        drawn.append(max(own, key=area))
    answered = [s for s in experiment.systems if s.source != first and s.delivery == FEEDBACK]
    return [*drawn, max(answered, key=area)] if answered else drawn
