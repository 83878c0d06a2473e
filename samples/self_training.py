"""Labels for the unlabeled: a teacher predicts them, a larger student learns them with noise.

python samples/self_training.py [--quick] [--out DIR] [--data DIR]

1,000 labeled pictures train the first teacher. Its guesses label 12,000 others; a larger student
learns from both under noise (RandAugment on its pictures, dropout inside it), once more from the
true labels alone, and becomes the next teacher. DIR of --data holds Fashion-MNIST's four files.
"""

import numpy as np
import torch
from data import fashion_mnist, options
from pictures import curves, sheet
from torch import nn
from training import fit, parameters, predict

import imgkit as ik

LABELED = 1000
AGAIN = 4  # how often a labeled picture counts beside the others
WIDTHS = (16, 32, 48)  # of the teacher, then of each student
OUTPUT = [ik.Normalize((0.286,), (0.353,)), ik.ToCHW()]
PLAIN = ik.Pipeline(OUTPUT)
NOISE = ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.RandAugment(n=1, magnitude=9), *OUTPUT], seed=1)


def network(width, dropout):
    """Three convolutions of stride 2, each twice as wide as the one before, and a dense layer."""
    torch.manual_seed(width)
    layers, channels = [], 1
    for wide in (width, 2 * width, 4 * width):
        layers += [nn.Conv2d(channels, wide, 3, stride=2), nn.ReLU()]
        channels = wide
    dense = [nn.Linear(16 * width, 256), nn.ReLU(), nn.Dropout(dropout), nn.Linear(256, 10)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout), *dense)
    return model.to(memory_format=torch.channels_last)  # faster on a processor


def pseudo_labels(teacher, x):
    """The teacher's probabilities (N, 10) for images without noise: soft labels."""
    return predict(teacher, x, PLAIN).softmax(1).numpy()


def learn(model, x, y, test, aug, steps, batch=64, lr=1e-3):
    """Train for about `steps` steps for any number of images; return the test accuracy."""
    epochs = max(1, round(steps * batch / len(x)))
    given = {"epochs": epochs, "batch": batch, "lr": lr}
    history = fit(model, x, y, train_aug=aug, test_aug=PLAIN, test=test, **given)
    return history[-1]["accuracy"]


def taught(student, teacher, labeled, others, test, steps):
    """Train a student on a teacher's soft labels and the true ones, then on the true ones only."""
    x, y = labeled
    soft = [np.eye(10, dtype=np.float32)[y]] * AGAIN + [pseudo_labels(teacher, others)]
    pool = np.concatenate([x] * AGAIN + [others])
    learn(student, pool, np.concatenate(soft), test, NOISE, steps, batch=128, lr=2e-3)
    return learn(student, x, y, test, NOISE, steps // 3, lr=5e-4)


def main(quick, out, data):
    split = fashion_mnist(data).head(*((1600, 300) if quick else (13_000, 5000)))
    x, y, test = split.x[:LABELED], split.y[:LABELED], (split.test_x, split.test_y)
    others, truth = split.x[LABELED:], split.y[LABELED:]  # the truth only judges the guesses
    steps, widths = (20, WIDTHS[:2]) if quick else (500, WIDTHS)
    teacher = network(widths[0], 0.0)
    rounds = [learn(teacher, x, y, test, PLAIN, steps // 2)]
    lines = [f"{'teacher':<12} {parameters(teacher):>10,} {'':>12} {rounds[0]:>14.2%}"]
    for number, width in enumerate(widths[1:], 1):
        right = (pseudo_labels(teacher, others).argmax(1) == truth).mean()
        print(f"student {number}: {len(others):,} pseudo-labels, {right:.2%} of them right")
        student = network(width, 0.3)
        rounds.append(taught(student, teacher, (x, y), others, test, steps))
        line = f"{f'student {number}':<12} {parameters(student):>10,} {right:>12.2%}"
        lines.append(f"{line} {rounds[-1]:>14.2%}")
        teacher = student
    print("the last student's network and noise, with the 1,000 labels alone")
    alone = learn(network(widths[-1], 0.3), x, y, test, NOISE, steps)
    print("round        parameters  taught right  test accuracy")
    print("\n".join(lines))
    print(f"{'labels alone':<12} {parameters(teacher):>10,} {'':>12} {alone:>14.2%}")
    series = {"teacher and students": rounds, "labels alone": [alone] * len(rounds)}
    curves(out / "self_training.png", series, "test accuracy", "round (1: the teacher)")
    noisy = ik.Pipeline(NOISE.ops[:2], seed=1)
    rows = [
        image for i in range(2) for image in (x[i], *(noisy(x[i], key=(e, i)) for e in range(7)))
    ]
    sheet(
        out / "self_training_noise.png", rows, ["picture", *["noisy"] * 7] * 2, columns=8, edge=1.2
    )


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
