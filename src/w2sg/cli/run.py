"""`w2sg run`: an experiment from its file to its report."""

from __future__ import annotations

from w2sg.cli.options import ExperimentFile, Out, Seeds, Settings, StoreFolder, folders, read


def run(
    experiment: ExperimentFile,
    seeds: Seeds = None,
    settings: Settings = None,
    out: Out = None,
    store: StoreFolder = None,
) -> None:
    """Run an experiment: train, answer, grade, and report the comparison. Finished steps are never done again.

    Stopped at any moment, the same command continues where it stopped. Writes results.json and report.html; results of
    other settings that stand in the folder are kept in its folder earlier/.
    Rows (methods, controls) given as a list of names are those of the file, or known methods.

    \b
    w2sg run experiments/quickstart.yaml
    w2sg run experiments/quickstart.yaml --seeds 0 1 2 --out runs/three-seeds
    w2sg run experiments/quickstart.yaml --set student=Qwen/Qwen2.5-0.5B student_fit.epochs=1
    w2sg run experiments/alice-world.yaml --set "methods=\\[alice, cascade-alice-shuffled]"
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.execute import execute
    from w2sg.cli.outcome import RESULTS, where
    from w2sg.report.results import Results
    from w2sg.report.terminal import show

    chosen = read(experiment, seeds, settings)
    out, store_folder = folders(chosen, out, store)
    execute(chosen, out, store_folder)
    console = Console()
    show(Results.load(out / RESULTS), console)
    console.print(Text(f"\n{where(out)}"))
