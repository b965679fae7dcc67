"""What a tag that is not listed counts as in training: absent, partly there, unknown, or there.

People forget tags far more often than they add wrong ones, so "not listed" is weak evidence. The
treatments change what a net is trained on and nothing else: what is measured stays as listed.
"""

import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError

CHOICES = ('absent', 'ignored', 'present')  # loss.missing
_LIFT = 2.0  # times the odds of a tag in any picture


def treat_missing(logits: jax.Array, labels: jax.Array, *, complete: np.ndarray, smoothing: float,
                  missing: str, bar: np.ndarray | float) -> tuple[jax.Array, jax.Array]:
  """The targets and weights that stand in for labels with gaps.

  A tag is *found* where it is not listed, and the net itself, as it is at this step, gives it
  higher odds than the bar. No gradient flows through what is found.

    absent    targets are the labels
    ignored   found tags weigh 0: a large loss is taken for a wrong label and rejected
    present   found tags have target 1: the label is corrected

  In labels that mixup made soft, a tag is unlisted where no picture of the mix lists it, and
  `smoothing` acts as it would on each picture before they are mixed.

  Args:
    logits: [B, T].
    labels: [B, T], 0 (not listed) to 1 (listed).
    complete: bool [T], tags that nobody forgets (ratings), which are left as they are.
    smoothing: the target of tags that are not listed, 0 to 1; 0 is off. Cross-entropy is least
      where the probability equals it; focal loss well below, since it makes light of small errors.
    missing: of CHOICES.
    bar: log odds, [T] or one number; of `place_bar`.

  Returns:
    targets [B, T] and weights [B, T], element-wise.

  Source: 'ignored' after Kim, Kim, Akata, Lee, Large Loss Matters in Weakly Supervised Multi-Label
  Classification, 2022, arXiv 2206.03740; differs by a fixed threshold in place of a share of the
  largest losses that grows with the epochs. 'present' after Zhang, Cheng, Huang, Wen, Feng, Li,
  Guo, Simple and Robust Loss Design for Multi-Label Learning with Missing Labels, 2021,
  arXiv 2112.07368, self-paced loss correction; differs by acting from the first step on.
  """
  found = (labels == 0) & ~complete & (logits > bar)
  targets = jnp.where(complete, labels, labels + (1 - labels) * smoothing)
  weights = jnp.ones_like(targets)
  if missing == 'ignored':
    weights = jnp.where(found, 0.0, weights)
  if missing == 'present':
    targets = jnp.where(found, 1.0, targets)
  return jax.lax.stop_gradient((targets, weights))


def place_bar(threshold: float, prior_logits: np.ndarray | float) -> np.ndarray:
  """The log odds above which an unlisted tag is found: float32 [T], or [] for one number.

  They are the threshold's, but at least twice the odds that the tag has in any picture. A net
  starts from those: a tag that most pictures list would be found in all others before anything is
  learned, and never be learned as absent.

  Args:
    threshold: a probability.
    prior_logits: log odds of the tags' shares, [T] or one number.
  """
  return np.maximum(np.log(threshold / (1 - threshold)),
                    np.asarray(prior_logits) + np.log(_LIFT)).astype(np.float32)


def check_missing(config) -> None:
  """Raises UserError for settings of the `loss` section that make no sense."""
  if config.missing not in CHOICES:
    raise UserError(f"loss.missing is '{config.missing}'; choices: {', '.join(CHOICES)}")
  if not 0 < config.missing_threshold < 1:
    raise UserError(f'loss.missing_threshold is {config.missing_threshold}; expected a probability '
                    'above 0 and below 1')
  if not 0 <= config.negative_smoothing < 1:
    raise UserError(f'loss.negative_smoothing is {config.negative_smoothing}; expected a target '
                    'for tags that are not listed, at least 0 and below 1')
