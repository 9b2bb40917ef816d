"""Losses of a recipe for the torch backend: CTC, two views that should agree, its own alignment, a guiding decoder."""

from typing import Any

from captcha_solver.training.recipes.recipe import Recipe

GUIDE_HEADS, GUIDE_INNER = 4, 320
LONGEST = 32  # of the texts that the guide reads, end included


def ctc(labels: Any, logits: Any) -> Any:
    """Mean over the batch of the CTC loss of (N, T, C) logits; labels (N, L) are zero padded, 0 is the blank."""
    return ctc_each(labels, logits).mean()


def ctc_each(labels: Any, logits: Any) -> Any:
    """(N,) CTC loss of each of (N, T, C) logits."""
    import torch

    steps = logits.log_softmax(-1).transpose(0, 1)
    lengths = (labels != 0).sum(1)
    columns = torch.full_like(lengths, logits.shape[1])
    return torch.nn.functional.ctc_loss(steps, labels.long(), columns, lengths, reduction="none", zero_infinity=True)


def divergence(logits: Any) -> Any:
    """How far two views of the same images are apart: (2 N, T, C) logits, the second views in the second half.

    Each view learns from what the other says, which is held still: the mean over columns of both divergences.
    """
    first, second = logits.log_softmax(-1).chunk(2)
    ahead = (second.detach().exp() * (second.detach() - first)).sum(-1)
    back = (first.detach().exp() * (first.detach() - second)).sum(-1)
    return (ahead + back).mean() / 2


def alignment(labels: Any, logits: Any) -> Any:
    """(N, T) class of each column in the alignment that CTC finds likeliest, column by column.

    The gradient of the CTC loss by a column's logits is what the network says minus how probably the column belongs to
    each class given the text (Graves et al. 2006, equation 16), so the loss gives the alignment away.
    """
    import torch

    with torch.enable_grad():
        still = logits.detach().float().requires_grad_()
        (gradient,) = torch.autograd.grad(ctc_each(labels, still).sum(), still)
    return (still.detach().softmax(-1) - gradient).argmax(-1)


def self_distilled(labels: Any, logits: Any) -> Any:
    """Cross-entropy of each column with the ``alignment``; texts that do not fit their columns are left out."""
    import torch

    wanted = alignment(labels, logits)
    fits = (ctc_each(labels, logits.detach()) > 0)[:, None]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
    return (losses.view(wanted.shape) * fits).sum() / (fits.sum() * logits.shape[1]).clamp(min=1)


class Guide:
    """A decoder with attention over the columns' features, which reads the text a character at a time, left to right.

    It is trained beside CTC so that the features get better (guided training of CTC), and no bundle has it.
    """

    def __init__(self, channels: int, classes: int, device: Any, seed: int) -> None:
        import torch

        generator = torch.random.get_rng_state()
        torch.manual_seed(seed)
        self.module = torch.nn.ModuleDict(
            {
                "symbols": torch.nn.Embedding(classes + 1, channels),  # 0: the text's end, classes: its start
                "places": torch.nn.Embedding(LONGEST, channels),
                "decoder": torch.nn.TransformerDecoderLayer(
                    channels, GUIDE_HEADS, GUIDE_INNER, dropout=0.1, batch_first=True, norm_first=True
                ),
                "head": torch.nn.Linear(channels, classes),
            }
        ).to(device)
        torch.random.set_rng_state(generator)
        self._start = classes

    def parameters(self) -> list[Any]:
        return list(self.module.parameters())

    def loss(self, labels: Any, features: Any) -> Any:
        """Mean cross-entropy of (N, L) zero padded labels, each ended by 0, given (N, T, channels) features."""
        import torch

        lengths = (labels != 0).sum(1)
        length = min(int(lengths.max()), LONGEST - 1)
        wanted = torch.nn.functional.pad(labels, (0, 1))[:, : length + 1].long()
        said = torch.nn.functional.pad(wanted[:, :-1], (1, 0), value=self._start)
        places = torch.arange(length + 1, device=labels.device)
        x = self.module["symbols"](said) + self.module["places"](places)
        ahead = torch.ones(length + 1, length + 1, dtype=torch.bool, device=labels.device).triu(1)
        read = self.module["head"](self.module["decoder"](x, features.float(), tgt_mask=ahead))
        counted = places[None] <= lengths[:, None]
        losses = torch.nn.functional.cross_entropy(read.flatten(0, 1), wanted.flatten(), reduction="none")
        return (losses.view(wanted.shape) * counted).sum() / counted.sum()


def combined(recipe: Recipe, labels: Any, logits: Any) -> Any:
    """CTC and what the recipe adds to it, but for the guide."""
    loss = ctc(labels, logits)
    if recipe.consistent:
        loss = loss + recipe.consistent * logits.shape[1] * divergence(logits)
    if recipe.aligned:
        loss = loss + recipe.aligned * logits.shape[1] * self_distilled(labels, logits)
    return loss
