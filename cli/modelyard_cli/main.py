"""The commands of `modelyard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Train computer-vision models, here or in a cluster.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dataset_app = typer.Typer(help="Data sets in S3.", no_args_is_help=True)
app.add_typer(dataset_app, name="dataset")
weights_app = typer.Typer(help="Weights in S3 that runs start from.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")


@app.callback()
def _modelyard() -> None:
    """Keep `train` a command of its own, however few there are."""


@app.command()
def train(
    manifest: Annotated[Path, typer.Argument(help="A TrainingRun, as for kubectl apply.", exists=True, dir_okay=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the results, instead of spec.artifacts.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option("--dataset", "-d", help="Folder with the data set, instead of spec.dataset.s3.")
    ] = None,
    scratch: Annotated[
        Path | None,
        typer.Option(help="Folder that what nobody keeps lies in until the end, instead of the system's own."),
    ] = None,
    *,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A field below spec and its value, such as training.epochs=1; may be repeated."),
    ] = None,
    subset: Annotated[
        int | None,
        typer.Option(min=2, help="Most pictures of each split, for a quick trial: the same as --set dataset.limit=N."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Train in so many processes, not in one for each GPU; without a GPU they share CPUs."),
    ] = None,
) -> None:
    """Run a TrainingRun on this computer, without Kubernetes."""
    from modelyard_cli.train import train_here  # noqa: PLC0415 - half a second

    wanted = [*(settings or []), *([f"dataset.limit={subset}"] if subset is not None else [])]
    raise typer.Exit(train_here(manifest, output, dataset, scratch, wanted, processes=processes))


@dataset_app.command("push")
def push(
    folder: Annotated[
        Path, typer.Argument(help="The data set: all files of this folder.", exists=True, file_okay=False)
    ],
    uri: Annotated[str, typer.Argument(help="Where to, such as s3://datasets/digits/v1/.")],
    endpoint: Annotated[
        str | None, typer.Option(help="Address of the S3 service; without it AWS_ENDPOINT_URL, or Amazon's.")
    ] = None,
    region: Annotated[str, typer.Option(help="Region that requests are signed for.")] = "us-east-1",
) -> None:
    """Upload a data set as one version, with its SHA256SUMS. Credentials are those of the AWS tools."""
    from modelyard_cli.dataset import push_here  # noqa: PLC0415 - half a second

    raise typer.Exit(push_here(folder, uri, endpoint, region))


@weights_app.command("push")
def push_weights(
    file: Annotated[
        Path,
        typer.Argument(
            help="A state dict (.pth, .pt), .safetensors, or a best.pt of a run.", exists=True, dir_okay=False
        ),
    ],
    name: Annotated[str, typer.Option(help="What runs call it, such as resnet18-imagenet.")],
    to: Annotated[str, typer.Option(help="Bucket and prefix of the team's weights, such as s3://weights/.")],
    endpoint: Annotated[
        str | None, typer.Option(help="Address of the S3 service; without it AWS_ENDPOINT_URL, or Amazon's.")
    ] = None,
    region: Annotated[str, typer.Option(help="Region that requests are signed for.")] = "us-east-1",
) -> None:
    """Upload a file of weights under a name, as a version that stays. Credentials are those of the AWS tools."""
    from modelyard_cli.weights import push_here  # noqa: PLC0415 - half a second

    raise typer.Exit(push_here(file, name, to, endpoint, region))


def main() -> None:
    """Entry point of the command."""
    app()
