"""Latent vectors are functions of (seed, index), of the distribution that their kind promises."""

import numpy as np
import pytest

from train_lib.scans.latent_draws import KINDS, Latents, Posteriors, fit_normal, list_draws

NAMES = ('old/a.png', 'new/b.nii.gz#7', 'c.dcm')
POSTERIORS = Posteriors(NAMES, np.arange(12.0).reshape(3, 4), np.full((3, 4), -2.0))


def make(kind, seed=0, deviation=1.0, per_scan=5, normal=None, size=4):
  return Latents(kind, size, seed=seed, deviation=deviation, per_scan=per_scan,
                 posteriors=POSTERIORS, normal=normal)


@pytest.mark.parametrize('kind', [kind for kind in KINDS if kind != 'between'])
def test_a_vector_depends_on_seed_and_index_alone(kind):
  normal = fit_normal(np.random.default_rng(0).normal(size=(9, 4)))
  one, same, other = (make(kind, seed, normal=normal) for seed in (3, 3, 4))
  one.of(0)
  np.testing.assert_array_equal(one.of(7), same.of(7))
  assert (one.of(7) != other.of(7)).all() and (one.of(7) != one.of(6)).all()
  assert one.of(7).dtype == np.float32


def test_the_prior_is_standard_normal_and_its_deviation_a_factor():
  drawn = np.stack([make('prior').of(index) for index in range(3_000)])
  assert np.abs(drawn.mean(axis=0)).max() < 0.08 and np.abs(drawn.std(axis=0) - 1).max() < 0.08
  np.testing.assert_allclose(make('prior', deviation=0.5).of(4), 0.5 * make('prior').of(4))
  assert (make('prior', deviation=0.0).of(4) == 0).all()


def test_fitted_draws_have_the_mean_and_covariance_of_the_means():
  rng = np.random.default_rng(1)
  means = rng.normal(size=(4_000, 3)) @ rng.normal(size=(3, 3)) + (5, 0, -5)
  latents = make('fitted', normal=fit_normal(means), size=3)
  drawn = np.stack([latents.of(index) for index in range(4_000)])
  np.testing.assert_allclose(drawn.mean(axis=0), means.mean(axis=0), atol=0.15)
  np.testing.assert_allclose(np.cov(drawn.T), np.cov(means.T), rtol=0.15, atol=0.15)


@pytest.mark.parametrize('means', [np.zeros((5, 3)), np.random.default_rng(0).normal(size=(2, 40)),
                                   np.ones((3, 1))])
def test_few_or_equal_means_can_be_fitted(means):
  normal = fit_normal(means)
  latents = make('fitted', normal=normal, size=means.shape[1])
  assert np.isfinite(latents.of(0)).all()
  np.testing.assert_allclose(normal.root @ normal.root.T,
                             np.cov(means, rowvar=False).reshape(normal.root.shape), atol=1e-4)


def test_draws_around_a_scan_are_those_of_its_posterior():
  latents = make('around', per_scan=2_000)
  drawn = np.stack([latents.of(2_000 + index) for index in range(2_000)])
  np.testing.assert_allclose(drawn.mean(axis=0), POSTERIORS.means[1], atol=0.05)
  np.testing.assert_allclose(drawn.std(axis=0), np.exp(-1), rtol=0.1)
  np.testing.assert_array_equal(make('around', deviation=0.0).of(9), POSTERIORS.means[1])


def test_a_log_variance_beyond_what_nets_sample_is_clipped():
  wild = POSTERIORS._replace(logvars=np.full((3, 4), 5_000.0))
  latents = Latents('around', 4, seed=0, deviation=1.0, per_scan=1, posteriors=wild)
  assert np.isfinite(latents.of(2)).all()


def test_points_between_lie_on_the_line():
  latents = make('between', deviation=9.0, per_scan=3)
  draws = list_draws('between', NAMES, 64, 3)
  assert [draw.share for draw in draws] == pytest.approx([0.25, 0.5, 0.75] * 2)
  np.testing.assert_allclose(latents.of(3, draws[3].share), [5, 6, 7, 8])
  np.testing.assert_allclose(latents.of(4, draws[4].share), [6, 7, 8, 9])


def test_files_keep_the_folder_of_the_scan_and_say_where_they_come_from():
  draws = list_draws('around', NAMES, 2, 8)
  assert [draw.file for draw in draws] == [
      'old/a-000000.png', 'old/a-000001.png', 'new/b-7-000002.png', 'new/b-7-000003.png',
      'c-000004.png', 'c-000005.png']
  assert [draw.folder for draw in draws[::2]] == ['old', 'new', '']
  assert draws[3].first == NAMES[1] and draws[3].share is None
  between = list_draws('between', NAMES, 2, 1)
  assert [(draw.file, draw.first, draw.last) for draw in between] == [
      ('000000.png', NAMES[0], NAMES[1]), ('000001.png', NAMES[1], NAMES[2])]
  assert [draw.file for draw in list_draws('prior', (), 2, 1)] == ['000000.png', '000001.png']


def test_scans_of_one_name_in_two_formats_do_not_meet():
  files = [draw.file for draw in list_draws('around', ('a.png', 'a.dcm', 'a.nii', 'a#1.nii'), 3, 1)]
  assert len(set(files)) == len(files) == 12
