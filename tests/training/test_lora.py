"""Low-rank adaptation: what learns, and that the merged model is the adapted one."""

import torch

from corolla.models.names import vit_config
from corolla.models.vit import ViT
from corolla.training.lora import adapt, merged

IMAGES = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def adapted() -> tuple[ViT, torch.Tensor]:
    torch.manual_seed(0)
    model = ViT(vit_config("vit_pico_patch8_16", 3)).eval()
    torch.nn.init.normal_(model.head.weight)
    before = model(IMAGES).detach()
    adapt(model, 4)
    return model, before


def test_an_adapted_model_begins_as_it_was_and_learns_little() -> None:
    model, before = adapted()
    torch.testing.assert_close(model(IMAGES), before)
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".")[-1] for name in learning if name.startswith("blocks.")} == {"a", "b"}
    assert {name for name in learning if not name.startswith("blocks.")} == {"head.weight", "head.bias"}


def test_the_merged_model_answers_as_the_adapted_one_with_ordinary_names() -> None:
    model, before = adapted()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".b"):
                parameter.normal_()
    answer = model(IMAGES)
    assert not torch.allclose(answer, before)
    whole = merged(model)
    assert whole.state_dict().keys() == ViT(model.config).state_dict().keys()
    torch.testing.assert_close(whole(IMAGES), answer)
    torch.testing.assert_close(model(IMAGES), answer)
    assert merged(whole) is whole
