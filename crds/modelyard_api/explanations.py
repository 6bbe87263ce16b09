"""What each word that a run shows means and what a person can do about it: the texts of `docs/reference/reasons.md`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from modelyard_api.outcome import Reason


class TriedAgain(StrEnum):
    """Whether the operator makes another attempt after one that ended so."""

    NOT_NEEDED = "not needed"
    NEVER = "never"
    COUNTED = "yes, as one of `recovery.maxRetries`"
    FREE = "yes, free of charge once the run has finished an epoch"
    SMALLER = "yes, with a smaller batch, as `recovery.oom` says"
    EASIER = "yes, as one of `recovery.maxRetries`, as long as there is less to ask for"
    SLOWER = "only where `recovery.divergence` says so, with a lower learning rate"
    UNTIL_ALLOWED = "the same attempt, until its Job is allowed"
    ON_RESUME = "when `suspend` is false again"


@dataclass(frozen=True)
class Explanation:
    """One reason in a person's words: what happened, what to do, and whether the operator goes on by itself."""

    meaning: str
    what_to_do: str
    tried_again: TriedAgain


EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.COMPLETED: Explanation(
        "The model is trained, every export was checked against it, and all files are published with their SHA256SUMS.",
        "Download the files from `status.artifactsUri`.",
        TriedAgain.NOT_NEEDED,
    ),
    Reason.COMPLETED_EARLY: Explanation(
        "As `Completed`, after fewer epochs than `training.epochs`: the metric had not become better for "
        "`training.patience` epochs. The message names the best epoch, whose weights are published.",
        "Download the files from `status.artifactsUri`. If it ended too soon, create a new run with more patience.",
        TriedAgain.NOT_NEEDED,
    ),
    Reason.DATASET_NOT_FOUND: Explanation(
        "There is nothing below `dataset.s3.uri`, or no folder `dataset.path` or `dataset.volume.path`.",
        "Correct the address, or upload the data set, and create a new run.",
        TriedAgain.NEVER,
    ),
    Reason.DATASET_EMPTY: Explanation(
        "The data set holds no pictures.",
        "Check that the pictures lie where the data set's description says.",
        TriedAgain.NEVER,
    ),
    Reason.DATASET_CHECKSUM_MISMATCH: Explanation(
        "A file differs from what the data set's own SHA256SUMS says of it; the message names the file.",
        "Upload the file again; or, if it was changed on purpose, write SHA256SUMS anew.",
        TriedAgain.NEVER,
    ),
    Reason.DATASET_INVALID: Explanation(
        "The data set is not laid out as `dataset.format` says, or the trainer's user may not read a file of it; the "
        "message names the file and what is missing.",
        "Correct the data set, its files' permissions or `dataset.format`.",
        TriedAgain.NEVER,
    ),
    Reason.LABEL_INVALID: Explanation(
        "A label cannot be trained on: malformed, a class that does not exist, or a box outside its picture. The "
        "message names the file and the line.",
        "Correct the label.",
        TriedAgain.NEVER,
    ),
    Reason.IMAGE_UNREADABLE: Explanation(
        "A picture cannot be decoded; the message names the file.",
        "Replace the picture, or remove it together with its label.",
        TriedAgain.NEVER,
    ),
    Reason.SPLIT_EMPTY: Explanation(
        "No picture is left for training or for validation.",
        "Add pictures, change `dataset.validationSplit`, or correct the data set's own splits.",
        TriedAgain.NEVER,
    ),
    Reason.WEIGHTS_NOT_FOUND: Explanation(
        "There are no weights where `model.pretrained` or `model.from` says.",
        "Correct the address. `modelyard weights push` puts a file of weights into your bucket; a run's "
        "`status.artifactsUri` is the folder of its own.",
        TriedAgain.NEVER,
    ),
    Reason.WEIGHTS_INVALID: Explanation(
        "The file of weights is not the one that was pinned by its SHA-256, not one that the trainer's user may "
        "read, or not one that can be read as data: a pickled program is never run.",
        "Correct `sha256`, the file or its permissions. The message says how to make a file of tensors of one that "
        "holds more.",
        TriedAgain.NEVER,
    ),
    Reason.WEIGHTS_DO_NOT_FIT: Explanation(
        "The weights are of another architecture, task or set of classes; the message names what was looked for and "
        "what is nearest to it.",
        "Correct `model.architecture`, or name other weights.",
        TriedAgain.NEVER,
    ),
    Reason.BUCKET_NOT_FOUND: Explanation(
        "The S3 service knows no bucket of that name.",
        "Correct the bucket in the `uri`, or the `endpoint`; or create the bucket.",
        TriedAgain.NEVER,
    ),
    Reason.CREDENTIALS_MISSING: Explanation(
        "No S3 credentials were found: the Secret of `secretRef` is not there or lacks a key, and the service account "
        "has none either.",
        "Create the Secret in the run's namespace with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        TriedAgain.NEVER,
    ),
    Reason.CREDENTIALS_REFUSED: Explanation(
        "The S3 service refused the credentials, or they do not allow what the run needs.",
        "Correct the Secret. A run needs to list and read the data set, and to list, read and write below "
        "`artifacts.s3.uri`. A later attempt waits for credentials that worked before, and then ends as "
        "StoreUnreachable.",
        TriedAgain.NEVER,
    ),
    Reason.ARCHITECTURE_UNKNOWN: Explanation(
        "There is no architecture of that name; the message names the nearest ones.",
        "Correct `model.architecture`.",
        TriedAgain.NEVER,
    ),
    Reason.SPEC_INVALID: Explanation(
        "The spec asks for something that cannot be done, which only showed when the run began.",
        "Do what the message says, and create a new run.",
        TriedAgain.NEVER,
    ),
    Reason.OUT_OF_MEMORY: Explanation(
        "The GPU ran out of memory. The run goes on with a smaller batch, in optimizer steps of the same size unless "
        "`recovery.oom.keepEffectiveBatch` is false; it fails when nothing smaller is left.",
        "Nothing, as long as it goes on. Where it failed: lower `training.batchSize` or `training.imageSize`, use a "
        "smaller `model.architecture` or `training.amp`, or ask for a GPU with more memory. The message has numbers.",
        TriedAgain.SMALLER,
    ),
    Reason.HOST_OUT_OF_MEMORY: Explanation(
        "The pod needed more memory than `resources.memory`. The run goes on with half of `training.workers` and no "
        "`training.cache` in memory, then with no workers; it fails when there is nothing left to do without.",
        "Raise `resources.memory`; or lower `training.workers`, or use less of `training.cache`. The message has "
        "numbers.",
        TriedAgain.EASIER,
    ),
    Reason.INTERRUPTED: Explanation(
        "The pod was told to stop: its node was drained, or a pod of higher priority needed the place.",
        "Nothing.",
        TriedAgain.FREE,
    ),
    Reason.STORE_UNREACHABLE: Explanation(
        "The S3 service could not be reached, or not for long enough.",
        "Check `endpoint` and the network between the pod and the service.",
        TriedAgain.FREE,
    ),
    Reason.DIVERGED: Explanation(
        "The loss became infinite or not a number. The seed makes another attempt go the same way.",
        "Lower `training.optimizer.learningRate`, lengthen the warm-up, or use `bf16` instead of `fp16`; or let the "
        "run go on from its last good checkpoint with a lower learning rate: `recovery.divergence.action: retry`.",
        TriedAgain.SLOWER,
    ),
    Reason.EXPORT_FAILED: Explanation(
        "The trained model could not be exported to one of the formats.",
        "Change or remove that entry of `export`; the message says why it failed.",
        TriedAgain.NEVER,
    ),
    Reason.EXPORT_DIFFERS: Explanation(
        "An exported file gives other results than the model it was made from, by more than its `tolerance`, or is "
        "worth less by the task's metric, by more than its `maxMetricDrop`. Nothing was published.",
        "Do what the message says; or raise the limit that it names if the difference does no harm.",
        TriedAgain.NEVER,
    ),
    Reason.INTERNAL_ERROR: Explanation(
        "Something went wrong that nobody foresaw. With exit code 137 something killed the container and nobody says "
        "why: a person, or the kernel for memory, whose word the container runtime now and then misses.",
        "Read the attempt's log, and report it with the message. With 137: look at how much memory the pod took, and "
        "raise `resources.memory`.",
        TriedAgain.COUNTED,
    ),
    Reason.JOB_REFUSED: Explanation(
        "The API server does not allow the attempt's Job: a quota is used up, Pod Security or an admission policy "
        "forbids its pod, or a Job of its name belongs to somebody else. The message is the server's own.",
        "Do what the message asks for; the operator goes on trying, and no retry is used up.",
        TriedAgain.UNTIL_ALLOWED,
    ),
    Reason.LOST: Explanation(
        "The attempt's Job or pod is gone, or its node cannot be reached, and nothing tells how it ended.",
        "Nothing, unless it happens again: then look for what deletes Jobs or takes nodes away.",
        TriedAgain.FREE,
    ),
    Reason.EVICTED: Explanation(
        "The node ran short of disk or memory and threw the pod out; the message says of what.",
        "Raise `resources.scratch` or `resources.memory`.",
        TriedAgain.COUNTED,
    ),
    Reason.STALLED: Explanation(
        "There was no sign of progress for longer than `recovery.stallTimeout`.",
        "Raise it if an epoch may take that long; else look into the attempt's log.",
        TriedAgain.COUNTED,
    ),
    Reason.SUSPENDED: Explanation(
        "`suspend` is true: the GPU is free, and the run is kept.",
        "Set `suspend` to false to let it go on.",
        TriedAgain.ON_RESUME,
    ),
    Reason.START_DEADLINE_EXCEEDED: Explanation(
        "An attempt waited for a node and its image for longer than `recovery.startDeadline`.",
        "Check that a node offers what `resources` asks for; `kubectl describe` of the pod says what is missing.",
        TriedAgain.NEVER,
    ),
    Reason.ACTIVE_DEADLINE_EXCEEDED: Explanation(
        "The run took longer than `recovery.activeDeadline`, over all its attempts.",
        "Create a new run with a longer deadline or fewer epochs.",
        TriedAgain.NEVER,
    ),
    Reason.RETRIES_EXHAUSTED: Explanation(
        "The last attempt failed, and `recovery.maxRetries` allows no other; the message says how it ended.",
        "Look up the reason of the last of `status.attempts`, do what it says, and create a new run.",
        TriedAgain.NEVER,
    ),
}
"""An explanation for every reason."""


@dataclass(frozen=True)
class Wait:
    """A word that `status.reason` shows while a run is not over: what goes on, and what to do if it lasts."""

    meaning: str
    what_to_do: str


_NOTHING = "Nothing."
_LOG = "Read the pod's log if it lasts."
_IMAGE = (
    "Correct `resources.image` in a new run, or the operator's default; see that the node reaches the registry, and "
    "that the pull secrets of the chart's `trainer.imagePullSecrets` are in the run's namespace."
)

WAITS: dict[str, Wait] = {
    # Words of ours
    "WaitingForApproval": Wait(
        "`approval.required` is true, and nobody has approved the run yet.", "Set `approval.approved` to true."
    ),
    "WaitingForRun": Wait(
        "`model.from.run` names a run that is not complete yet, or not there.",
        "Nothing, if it is on its way. Where it failed or is not there: correct the name in a new run.",
    ),
    "Queued": Wait(
        "The Job is suspended: it waits for its place in `resources.queue`, or for whoever suspended it.",
        "`kubectl get workloads` in the run's namespace says what Kueue waits for; without a queue, resume the Job.",
    ),
    "JobCreated": Wait(
        "The attempt's Job is there, and its pod is not yet.",
        "`kubectl describe` of the Job says why it makes no pod: mostly a quota, or Pod Security.",
    ),
    "Scheduling": Wait("The pod is there, and the scheduler has not looked at it yet.", _NOTHING),
    "ContainerStarting": Wait("A node has the pod, and fetches its image and volumes.", _NOTHING),
    "Running": Wait("The pod runs, and its trainer was not heard yet.", "See `Reports` below if it lasts."),
    "SpecChanged": Wait("The spec was edited just as the first Job was made; another Job is made.", _NOTHING),
    "Stopping": Wait(
        "The attempt has to end, and its pod saves its state.",
        "Nothing. A pod on a node that is out of reach is given up after a while.",
    ),
    "Retrying": Wait(
        "The last attempt failed, and the next one begins after a pause.",
        "The reason of the last of `status.attempts` is explained above.",
    ),
    # Stages of the trainer
    "Fetching": Wait("The data set is on its way to the pod.", _LOG),
    "Checking": Wait("Every picture and label is looked at.", _LOG),
    "Training": Wait("Epochs are counted.", "`recovery.stallTimeout` restarts an attempt that stands still."),
    "Evaluating": Wait("The best weights are measured on the validation pictures.", _LOG),
    "Exporting": Wait("The best weights are written in the formats of `export`.", _LOG),
    "Verifying": Wait("Each exported file is compared with the model that it was made from.", _LOG),
    "Publishing": Wait(
        "Results are on their way to the store.",
        "A store that is away is waited for. See `StoreUnreachable` above if it lasts.",
    ),
    "Finished": Wait("Everything is published, and the pod is about to end.", _NOTHING),
    # Words of the scheduler's and the kubelet's
    "Unschedulable": Wait(
        "No node has what the pod asks for; the message counts what each of them lacks.",
        "Ask for less in `resources`, or add a node; `recovery.startDeadline` ends the wait.",
    ),
    "ErrImagePull": Wait("The image cannot be pulled; the message says why.", _IMAGE),
    "ImagePullBackOff": Wait("The image could not be pulled, and is tried again later.", _IMAGE),
    "ErrImageNeverPull": Wait("The image is not on the node, and the pull policy forbids to fetch it.", _IMAGE),
    "InvalidImageName": Wait("The image's name is none.", _IMAGE),
    "CreateContainerConfigError": Wait(
        "The container cannot be made: something that it refers to is missing, or its image runs as root.",
        "Do what the message says; an image of your own needs a user by number other than 0.",
    ),
    "CreateContainerError": Wait(
        "The node's container runtime refuses the container; the message is its own.",
        "Mostly the image has no such program, or the node lacks the GPU's runtime.",
    ),
    "RunContainerError": Wait(
        "The container could not be started; the message is the runtime's.",
        "As for CreateContainerError.",
    ),
}
"""Words for what a run waits for or does. Kubernetes is free to use others, which are shown as they are."""
