"""The options of `corolla train` that set a value of its recipe, by the panel they are shown in."""

from typing import Annotated

import typer

from corolla.cli.options import FLAG
from corolla.training.recipe import ClassWeights, Distilling, FirstHead, Optimiser, Policy

OPTIMISATION = "Optimisation (the recipe's values where not given)"
ADAPTING = "Adapting pretrained weights"
DISTILLATION = "Distillation (the recipe's values where not given)"
ANSWERING = "Answering (the recipe's value where not given)"
REGULARISATION = "Regularisation and augmentation (the recipe's values where not given)"

# ---------------------------------------------------------------------------------------------------------------------

Weights = Annotated[
    str | None,
    typer.Option(
        metavar="NAME_OR_PATH",
        help="Pretrained weights to begin with: a run, anybody's checkpoint, or a name of `corolla weights list`.",
        rich_help_panel=ADAPTING,
    ),
]
Head = Annotated[
    FirstHead | None,
    typer.Option(
        help="The head to begin with; probe is logistic regression on frozen features.", rich_help_panel=ADAPTING
    ),
]
TrainBlocks = Annotated[
    int | None,
    typer.Option(metavar="K", min=0, help="Only the last K blocks and the head learn.", rich_help_panel=ADAPTING),
]
LoraRank = Annotated[
    int | None,
    typer.Option(metavar="R", min=1, help="Matrices learn a correction of rank R only.", rich_help_panel=ADAPTING),
]
LayerDecay = Annotated[
    float | None,
    typer.Option(metavar="X", help="Learning rate of a block, as a share of the one above.", rich_help_panel=ADAPTING),
]

# ---------------------------------------------------------------------------------------------------------------------

Teacher = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Learn from efficientnet-lite0, a run, a checkpoint or any model of timm.",
        rich_help_panel=DISTILLATION,
    ),
]
TeacherEpochs = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, help="Of fitting all of the teacher after its head.", rich_help_panel=DISTILLATION
    ),
]
Distillation = Annotated[
    Distilling | None,
    typer.Option(help="From the teacher's probabilities or its choice.", rich_help_panel=DISTILLATION),
]
DistillShare = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Of the loss, against the labels.", rich_help_panel=DISTILLATION),
]
DistillToken = Annotated[
    bool | None,
    typer.Option(
        "--distill-token/--no-distill-token",
        metavar=FLAG,
        help="A token and a head of their own learn from the teacher; for models with a class token.",
        rich_help_panel=DISTILLATION,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(metavar="T", help="Above 1 softens the probabilities.", rich_help_panel=DISTILLATION),
]
Guidance = Annotated[
    float | None,
    typer.Option(metavar="X", help="Weight of the teacher's feature maps.", rich_help_panel=DISTILLATION),
]

# ---------------------------------------------------------------------------------------------------------------------

OptimiserName = Annotated[
    Optimiser | None,
    typer.Option(help="muon is for the blocks' matrices and the stem only.", rich_help_panel=OPTIMISATION),
]
LearningRate = Annotated[float | None, typer.Option(metavar="LR", help="At its peak.", rich_help_panel=OPTIMISATION)]
WeightDecay = Annotated[float | None, typer.Option(metavar="X", help="Decoupled.", rich_help_panel=OPTIMISATION)]
Warmup = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE", help="Of the steps, until the learning rate is at its peak.", rich_help_panel=OPTIMISATION
    ),
]
BatchSize = Annotated[int | None, typer.Option(metavar="N", help="Pictures in a batch.", rich_help_panel=OPTIMISATION)]
Accumulate = Annotated[
    int | None,
    typer.Option(metavar="N", help="Batches whose gradients are added up before a step.", rich_help_panel=OPTIMISATION),
]
ClipNorm = Annotated[
    float | None, typer.Option(metavar="X", help="Largest norm of the gradient.", rich_help_panel=OPTIMISATION)
]
AverageDecay = Annotated[
    float | None,
    typer.Option(metavar="X", help="Of the moving average of the weights, a step.", rich_help_panel=OPTIMISATION),
]
Patience = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Stop after so many validations without a better one.", rich_help_panel=OPTIMISATION
    ),
]

# ---------------------------------------------------------------------------------------------------------------------

LabelSmoothing = Annotated[float | None, typer.Option(metavar="X", help="From 0 to 1.", rich_help_panel=REGULARISATION)]
DropPath = Annotated[
    float | None,
    typer.Option(metavar="X", help="Stochastic depth of the last block.", rich_help_panel=REGULARISATION),
]
ClassWeighting = Annotated[
    ClassWeights | None,
    typer.Option(help="balanced: pictures of rare classes count for more.", rich_help_panel=REGULARISATION),
]
CropScale = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE", help="Smallest share of the area that a random crop keeps.", rich_help_panel=REGULARISATION
    ),
]
PolicyName = Annotated[
    Policy | None,
    typer.Option(
        metavar="NAME",
        help="Changes of colour and shape: none, light, trivial (TrivialAugment) or rand (RandAugment).",
        rich_help_panel=REGULARISATION,
    ),
]
Erasing = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Of the pictures, lose a rectangle.", rich_help_panel=REGULARISATION),
]
Mixing = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Of the batches, go through MixUp or CutMix.", rich_help_panel=REGULARISATION),
]
Growth = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Small pictures first: 0:0.5,0.3:1 begins at half of the side and goes on at all of it "
        "from 30 % of the epochs; 0:1 is always all of it.",
        rich_help_panel=REGULARISATION,
    ),
]

# ---------------------------------------------------------------------------------------------------------------------

FlipAverage = Annotated[
    bool | None,
    typer.Option(
        "--flip-average/--no-flip-average",
        metavar=FLAG,
        help="Answer with the mean over a picture and its mirror image.",
        rich_help_panel=ANSWERING,
    ),
]
