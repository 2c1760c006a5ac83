"""A campaign spread over machines, as text to be applied: a GitHub matrix, a Kubernetes Indexed Job."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from windtunnel.names import BadInputError

GITHUB_JOBS_MAX: Final = 256
"""Jobs that GitHub allows in one matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What is to be run.

    ``further`` are options of ``windtunnel campaign``; ``for_`` bounds each shard's time; ``image`` has
    windtunnel in it, ``claim`` is a volume that all pods may write to, ``install`` a command.
    """

    workload: str
    shards: int
    seeds: str
    for_: str | None
    further: Sequence[str]
    image: str
    claim: str
    install: str

    def campaign(self, shard: str, log: str) -> str:
        """The command of one shard; both texts are put in as they are, for a shell to expand."""
        words = ["windtunnel", "campaign", self.workload, "--seeds", self.seeds]
        words += ["--for", self.for_] if self.for_ else []
        return f'{shlex.join([*words, *self.further])} --shard "{shard}/{self.shards}" --out "{log}"'


def github(spread: Spread) -> str:
    """A workflow: a job per shard, and one that merges their logs. Raises BadInputError."""
    if spread.shards > GITHUB_JOBS_MAX:
        raise BadInputError(
            f"--shards {spread.shards}: a matrix of GitHub has at most {GITHUB_JOBS_MAX} jobs."
        )
    shard = "${{ matrix.shard }}"
    command = spread.campaign(shard, f"out/shard-{shard}.jsonl")
    return f"""\
name: windtunnel {spread.workload}
on:
  workflow_dispatch:
jobs:
  shard:
    runs-on: ubuntu-latest
    strategy:
      fail-fast: false
      matrix:
        shard: [{", ".join(map(str, range(spread.shards)))}]
    steps:
{_setup(spread)}
      - name: campaign
        run: |
          {command}
      - if: always()
        uses: actions/upload-artifact@v4
        with:
          name: shard-{shard}
          path: out/
  merge:
    needs: shard
    if: always()
    runs-on: ubuntu-latest
    steps:
{_setup(spread)}
      - uses: actions/download-artifact@v4
        with:
          path: out
          merge-multiple: true
      - name: merge
        run: windtunnel merge out --out campaign --github
      - if: always()
        uses: actions/upload-artifact@v4
        with:
          name: campaign
          path: campaign/
"""


def kubernetes(spread: Spread) -> str:
    """An Indexed Job: pod i runs shard i of n. A pod that is evicted goes on from its log.

    What was found is no failure of a pod, so verdicts (exit codes 0 to 2) count as success.
    """
    index = "${JOB_COMPLETION_INDEX}"
    command = spread.campaign(index, f"/out/shard-{index}.jsonl")
    name = f"windtunnel-{spread.workload}"
    return f"""\
# kubectl apply -f this-file; kubectl wait --for=condition=complete job/{name}
# then, wherever the volume is mounted: windtunnel merge /out --out campaign
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
spec:
  completionMode: Indexed
  completions: {spread.shards}
  parallelism: {spread.shards}
  backoffLimit: {spread.shards}
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: campaign
          image: {spread.image}
          command: ["sh", "-c"]
          args:
            - |
              {command}
              code=$?
              [ "$code" -le 2 ]
          resources:
            requests:
              cpu: "1"
              memory: 256Mi
          volumeMounts:
            - name: out
              mountPath: /out
      volumes:
        - name: out
          persistentVolumeClaim:
            claimName: {spread.claim}
"""


def _setup(spread: Spread) -> str:
    return f"""\
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: {spread.install}"""


FORMS: Mapping[str, Callable[[Spread], str]] = MappingProxyType(
    {"github": github, "kubernetes": kubernetes}
)
