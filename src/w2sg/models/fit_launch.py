"""Training in several processes: `fit` hands its job to torchrun, whose processes come back into `models.fit`.

The job travels as files beside the checkpoints; progress comes back as JSON lines on standard output, an error for
the user as a file. `torchrun --nproc_per_node 2 -m w2sg.models.fit JOB.json` does the same by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from w2sg import errors
from w2sg.errors import ModelError, UserError
from w2sg.models.base import ModelConfig, Progress, RuntimeConfig
from w2sg.models.fit_config import FitConfig
from w2sg.records import Target
from w2sg.storage import make_folder, read_json, read_rows, write_json, write_rows

JOB = "job"


@dataclass(frozen=True)
class Job:
    """The arguments of `fit`."""

    model: ModelConfig
    targets: Sequence[Target]
    config: FitConfig
    seed: int
    folder: Path
    runtime: RuntimeConfig
    tuned: Path | None

    def write(self) -> Path:
        """Write the job below its folder and return the file that torchrun is given."""
        place = make_folder(self.folder / JOB)
        write_rows(place / "targets.jsonl", self.targets)
        settings = {name: getattr(self, name).model_dump(mode="json") for name in ("model", "config", "runtime")}
        tuned = None if self.tuned is None else str(self.tuned.resolve())
        write_json(place / "job.json", {**settings, "seed": self.seed, "tuned": tuned})
        return place / "job.json"

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read what `write` wrote."""
        stored, where = read_json(path), f"The training job {str(path)!r}"
        return cls(
            model=ModelConfig.parse(stored["model"], where),
            targets=read_rows(path.parent / "targets.jsonl", Target),
            config=FitConfig.parse(stored["config"], where),
            seed=int(stored["seed"]),
            folder=path.parent.parent,
            runtime=RuntimeConfig.parse(stored["runtime"], where),
            tuned=None if stored["tuned"] is None else Path(stored["tuned"]),
        )


def launch(job: Job, progress: Progress) -> None:
    """Run the job in `runtime.processes` processes of this machine, to its end.

    Raises:
        UserError: what one of the processes raised.
        ModelError: the processes ended otherwise.
    """
    path = job.write()
    error, log = path.parent / "error.json", path.parent / "log.txt"
    error.unlink(missing_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", str(job.runtime.processes), "-m", "w2sg.models.fit", str(path)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(job.runtime.threads)}
    with (
        log.open("wb") as printed,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=printed, env=environment, text=True) as processes,
    ):
        try:
            assert processes.stdout is not None
            for line in processes.stdout:
                _relay(line, progress)
            code = processes.wait()
        finally:
            if processes.poll() is None:
                processes.terminate()  # torchrun ends its processes before itself
    if error.is_file():
        stored = read_json(error)
        raise getattr(errors, stored["kind"])(stored["message"])
    if code:
        raise ModelError(
            f"Training in {job.runtime.processes} processes broke off (exit code {code}); what they printed is in "
            f"{str(log)!r}. The same command continues from the last checkpoint."
        )


def tell(done: int, total: int, note: str) -> None:
    """Send progress to the process that launched this one; it fails when that process is gone, and so ends the job."""
    print(json.dumps([done, total, note]), flush=True)


def report(job_path: Path, error: UserError) -> None:
    """Leave an error for the launching process."""
    write_json(job_path.parent / "error.json", {"kind": type(error).__name__, "message": str(error)})


def _relay(line: str, progress: Progress) -> None:
    try:
        done, total, note = json.loads(line)
    except ValueError:
        return  # something a library printed
    progress(int(done), int(total), str(note))
