"""The loss in chunks is the loss of all logits, and so are its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from instructglm.training import head_loss as module
from instructglm.training.head_loss import head_loss


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_ELEMENTS", 7 * 50)  # 7 positions of 50 logits


class Adapted(nn.Linear):
    """Any other kind of head."""


def plain(head, hidden, labels, weights):
    return (F.cross_entropy(head(hidden).float(), labels, reduction="none") * weights).sum()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", [nn.Linear, Adapted])
@pytest.mark.parametrize("num", [1, 7, 30])
@pytest.mark.parametrize("frozen", [False, True])
def test_equal_to_the_plain_loss(kind, bias, num, frozen):
    torch.manual_seed(0)
    head = kind(16, 50, bias=bias, dtype=torch.float64).requires_grad_(not frozen)
    hidden = torch.randn(num, 16, dtype=torch.float64, requires_grad=True)
    labels, weights = torch.randint(0, 50, (num,)), torch.rand(num)
    found = {}
    for name, loss in (("chunks", head_loss), ("plain", plain)):
        value = loss(head, hidden, labels, weights) / 3
        value.backward()
        found[name] = [value.detach().float(), *(p.grad for p in (hidden, *head.parameters()) if p.grad is not None)]
        hidden.grad = None
        head.zero_grad()
    assert len(found["chunks"]) == 2 + (not frozen) * (1 + bias)
    for ours, theirs in zip(found["chunks"], found["plain"], strict=True):
        assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


def test_without_gradients_the_same():
    torch.manual_seed(0)
    head, hidden = nn.Linear(16, 50), torch.randn(30, 16)
    labels, weights = torch.randint(0, 50, (30,)), torch.rand(30)
    with torch.no_grad():
        assert_close(head_loss(head, hidden, labels, weights), plain(head, hidden, labels, weights), rtol=1e-6, atol=0)


@pytest.mark.parametrize("sure", [0.0, 1.0, 2.0])
def test_in_bfloat16_as_near_as_autocast(sure):
    """Also where the label is all but sure, and its gradient is the small difference of two numbers near 1."""
    torch.manual_seed(0)
    head, labels, weights = nn.Linear(64, 50), torch.randint(0, 50, (30,)), torch.rand(30)
    direction = head.weight.detach()[labels]
    hidden = (torch.randn(30, 64) + sure * 10 * direction / direction.norm(dim=1, keepdim=True)).requires_grad_()
    exact = torch.autograd.grad(plain(head, hidden, labels, weights), (hidden, head.weight))
    with torch.autocast("cpu", torch.bfloat16):
        ours = torch.autograd.grad(head_loss(head, hidden, labels, weights), (hidden, head.weight))
        theirs = torch.autograd.grad(plain(head, hidden, labels, weights), (hidden, head.weight))
    for mine, other, right in zip(ours, theirs, exact, strict=True):
        assert mine.dtype == torch.float32
        assert (mine - right).norm() <= 1.2 * (other - right).norm()


def test_no_label_is_no_loss():
    head, nothing = nn.Linear(16, 50), torch.empty(0, 16, requires_grad=True)
    loss = head_loss(head, nothing, torch.empty(0, dtype=torch.long), torch.empty(0))
    loss.backward()
    assert loss == 0
