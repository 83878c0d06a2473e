"""The loss of distillation, by hand."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")


def targets(labels, logits):
    return torch.cat([torch.tensor(labels)[:, None].float(), logits], 1)


def test_without_weight_it_is_the_cross_entropy(sample):
    ours, teacher = torch.randn(4, 10), torch.randn(4, 10)
    loss = sample("distillation").distil(0.0, 4)(ours, targets([1, 2, 3, 4], teacher))
    expected = torch.nn.functional.cross_entropy(ours, torch.tensor([1, 2, 3, 4]))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_soft_part_is_kl_at_the_temperature(sample):
    ours, teacher = torch.randn(4, 10), torch.randn(4, 10)
    p, q = (teacher / 4).softmax(1), (ours / 4).softmax(1)
    expected = 16 * (p * (p / q).log()).sum(1).mean()
    loss = sample("distillation").distil(1.0, 4)(ours, targets([0, 0, 0, 0], teacher))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_student_like_its_teacher_has_no_loss(sample):
    logits = torch.randn(3, 10)
    loss = sample("distillation").distil(1.0, 10)(logits, targets([0, 1, 2], logits))
    assert loss.item() == pytest.approx(0, abs=1e-4)
