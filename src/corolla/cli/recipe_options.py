"""The options of `corolla train` that set a value of its recipe, by the panel they are shown in."""

from typing import Annotated

import typer

from corolla.cli.options import FLAG
from corolla.cli.usual import usual
from corolla.training.recipe import ClassWeights, Distilling, FirstHead, Optimiser, Policy

OPTIMISATION = "Optimisation"
ADAPTING = "Adapting pretrained weights"
DISTILLATION = "Distillation"
ANSWERING = "Answering"
REGULARISATION = "Regularisation and augmentation"

# ---------------------------------------------------------------------------------------------------------------------

Weights = Annotated[
    str | None,
    typer.Option(
        metavar="NAME_OR_PATH",
        help="Pretrained weights to begin with: a run, anybody's checkpoint, or a name of `corolla weights list`.",
        show_default="random weights",
        rich_help_panel=ADAPTING,
    ),
]
Head = Annotated[
    FirstHead | None,
    typer.Option(
        help="The head to begin with; probe is logistic regression on frozen features.",
        show_default=usual("head"),
        rich_help_panel=ADAPTING,
    ),
]
TrainBlocks = Annotated[
    int | None,
    typer.Option(
        metavar="K",
        min=0,
        help="Only the last K blocks and the head learn.",
        show_default=usual("train_blocks"),
        rich_help_panel=ADAPTING,
    ),
]
LoraRank = Annotated[
    int | None,
    typer.Option(
        metavar="R",
        min=1,
        help="Matrices learn a correction of rank R only.",
        show_default=usual("lora_rank"),
        rich_help_panel=ADAPTING,
    ),
]
LayerDecay = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Learning rate of a block, as a share of the one above.",
        show_default=usual("layer_decay"),
        rich_help_panel=ADAPTING,
    ),
]

# ---------------------------------------------------------------------------------------------------------------------

Teacher = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Learn from efficientnet-lite0, a run, a checkpoint or any model of timm.",
        show_default="the labels alone",
        rich_help_panel=DISTILLATION,
    ),
]
TeacherEpochs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Of fitting all of the teacher after its head.",
        show_default=usual("teacher_epochs"),
        rich_help_panel=DISTILLATION,
    ),
]
Distillation = Annotated[
    Distilling | None,
    typer.Option(
        help="From the teacher's probabilities or its choice.",
        show_default=usual("distillation"),
        rich_help_panel=DISTILLATION,
    ),
]
DistillShare = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Of the loss, against the labels.",
        show_default=usual("distill_share"),
        rich_help_panel=DISTILLATION,
    ),
]
DistillToken = Annotated[
    bool | None,
    typer.Option(
        "--distill-token/--no-distill-token",
        metavar=FLAG,
        help="A token and a head of their own learn from the teacher; for models with a class token.",
        show_default=usual("distill_token"),
        rich_help_panel=DISTILLATION,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        metavar="T",
        help="Above 1 softens the probabilities.",
        show_default=usual("temperature"),
        rich_help_panel=DISTILLATION,
    ),
]
Guidance = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Weight of the teacher's feature maps.",
        show_default=usual("guidance"),
        rich_help_panel=DISTILLATION,
    ),
]

# ---------------------------------------------------------------------------------------------------------------------

OptimiserName = Annotated[
    Optimiser | None,
    typer.Option(
        help="muon is for the blocks' matrices and the stem only.",
        show_default=usual("optimiser"),
        rich_help_panel=OPTIMISATION,
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(metavar="LR", help="At its peak.", show_default=usual("learning_rate"), rich_help_panel=OPTIMISATION),
]
WeightDecay = Annotated[
    float | None,
    typer.Option(metavar="X", help="Decoupled.", show_default=usual("weight_decay"), rich_help_panel=OPTIMISATION),
]
Warmup = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Of the steps, until the learning rate is at its peak.",
        show_default=usual("warmup"),
        rich_help_panel=OPTIMISATION,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Pictures in a batch.", show_default=usual("batch_size"), rich_help_panel=OPTIMISATION
    ),
]
Accumulate = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Batches whose gradients are added up before a step.",
        show_default=usual("accumulate"),
        rich_help_panel=OPTIMISATION,
    ),
]
ClipNorm = Annotated[
    float | None,
    typer.Option(
        metavar="X", help="Largest norm of the gradient.", show_default=usual("clip_norm"), rich_help_panel=OPTIMISATION
    ),
]
AverageDecay = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Of the moving average of the weights, a step.",
        show_default=usual("average_decay"),
        rich_help_panel=OPTIMISATION,
    ),
]
LastEpoch = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Fraction of the last epoch's batches that are trained on; --minutes may cut it short.",
        show_default=usual("last_epoch"),
        rich_help_panel=OPTIMISATION,
    ),
]
Validations = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="About so many validations in the whole training; --minutes may allow fewer.",
        show_default=usual("validations"),
        rich_help_panel=OPTIMISATION,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Stop after so many validations without a better one.",
        show_default=usual("patience"),
        rich_help_panel=OPTIMISATION,
    ),
]

# ---------------------------------------------------------------------------------------------------------------------

LabelSmoothing = Annotated[
    float | None,
    typer.Option(
        metavar="X", help="From 0 to 1.", show_default=usual("label_smoothing"), rich_help_panel=REGULARISATION
    ),
]
DropPath = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Stochastic depth of the last block.",
        show_default=usual("drop_path"),
        rich_help_panel=REGULARISATION,
    ),
]
ClassWeighting = Annotated[
    ClassWeights | None,
    typer.Option(
        help="balanced: pictures of rare classes count for more.",
        show_default=usual("class_weights"),
        rich_help_panel=REGULARISATION,
    ),
]
CropScale = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Smallest share of the area that a random crop keeps.",
        show_default=usual("crop_scale"),
        rich_help_panel=REGULARISATION,
    ),
]
PolicyName = Annotated[
    Policy | None,
    typer.Option(
        metavar="NAME",
        help="Changes of colour and shape: none, light, trivial (TrivialAugment) or rand (RandAugment).",
        show_default=usual("policy"),
        rich_help_panel=REGULARISATION,
    ),
]
Erasing = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Of the pictures, lose a rectangle.",
        show_default=usual("erasing"),
        rich_help_panel=REGULARISATION,
    ),
]
Mixing = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Of the batches, go through MixUp or CutMix.",
        show_default=usual("mixing"),
        rich_help_panel=REGULARISATION,
    ),
]
Growth = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Small pictures first: 0:0.5,0.3:1 begins at half of the side and goes on at all of it "
        "from 30 % of the epochs; 0:1 is always all of it.",
        show_default=usual("growth"),
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
        show_default=usual("flip_average"),
        rich_help_panel=ANSWERING,
    ),
]
