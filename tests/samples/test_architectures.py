"""The networks have the sizes that their papers and imgkit's arithmetic say."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("matplotlib")


@pytest.mark.parametrize(
    ("name", "numbers", "sees", "last"),
    [
        ("LeNet-5", 61_706, 16, (16, 5, 5)),
        ("AlexNet", 60_965_224, 195, (256, 6, 6)),  # the two halves of 2012
        ("VGG-16", 138_357_544, 212, (512, 7, 7)),
        ("ResNet-18", 11_689_512, 435, (512, 7, 7)),
        ("EfficientNet-B0", 5_288_548, 851, (1280, 7, 7)),
    ],
)
def test_parameters_field_and_shape(sample, capsys, name, numbers, sees, last):
    module = sample("architectures")
    build, edge = module.NETWORKS[name]
    with torch.device("meta"):
        model = build()
        layers = module.describe(name, model, edge)
    assert module.parameters(model) == numbers
    assert (layers[-1].sees, layers[-1].shape) == (sees, last)
    assert f"{numbers:,} parameters" in capsys.readouterr().out


def test_local_response_normalization_is_the_papers(sample):
    # b = a / (2 + 1e-4 * sum of a^2 over five channels) ** 0.75; channel 2 of 5 sees all
    norm = next(m for m in sample("architectures").alexnet() if "LocalResponse" in str(type(m)))
    a = torch.arange(1.0, 6.0).reshape(1, 5, 1, 1) * 100
    expected = 300 / (2 + 1e-4 * (1 + 4 + 9 + 16 + 25) * 1e4) ** 0.75
    assert norm(a)[0, 2, 0, 0].item() == pytest.approx(expected, rel=1e-6)


def test_efficientnet_grows_in_all_three(sample):
    with torch.device("meta"):
        b0, b1 = sample("architectures").scaling(2)
    assert b0[:3] == (1280, 16, 224)
    assert b1[:3] == (1280, 23, 240)
    assert b0[3:] == (5_288_548, pytest.approx(0.386e9, rel=0.02))  # torchvision: 0.386 GMAC
